"""The steps of `ecluse ci`: parse, lint, build, test, compare."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import dbt
from orchestration.artifacts import (
    NodeResult,
    TestResult,
    read_artifact,
    read_build,
    read_hidden,
    read_masked,
)
from orchestration.ci import breaking
from orchestration.ci.baseline import Baseline, find_baseline, seconds_before, write_state
from orchestration.ci.findings import Cost, FailedRows, Report
from orchestration.ci.lint import lint
from orchestration.ci.selection import (
    BUILT,
    TESTS,
    changed_files,
    names_of,
    of_kind,
    runnable,
    upstream,
)
from orchestration.ci.space import space_name
from orchestration.console import Console
from orchestration.errors import BuildBroke, MovedOn
from orchestration.failures import SCHEMA as QUARANTINE
from orchestration.failures import masked_rows
from orchestration.history.diff import compare
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import LIVE, standing_in
from orchestration.records import RunFolder, RunRecord
from orchestration.settings import Settings
from orchestration.workflow import Step

if TYPE_CHECKING:
    from psycopg2.extensions import connection

ARTIFACTS = ("manifest.json", "run_results.json")
PARSE = "partial_parse.msgpack"
SIZE = """
select pg_table_size(c.oid) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where (nspname, relname) = (%s, %s)
"""


@dataclass(frozen=True)
class Options:
    """What a person asked for."""

    state: Path | None = None  # a folder with the manifest to compare with
    limit: int = 10  # rows of each kind to name
    linted: bool = True


@dataclass
class Job:
    """One pull request on its way through the steps."""

    settings: Settings
    record: RunRecord
    folder: RunFolder
    session: "connection"
    dbname: str
    console: Console
    options: Options
    report: Report
    baseline: Baseline = field(default_factory=Baseline)
    manifest: dict[str, Any] = field(default_factory=dict)  # of the working tree, compiled
    before: dict[str, Any] | None = None  # of the live version
    selected: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    built: set[str] = field(default_factory=set)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Tests come after all models: nobody reads these, so a failure need stop nothing."""
        parts = (self.parse, self.lint, self.build, self.test, self.compare)
        return tuple(Step(part.__name__, part) for part in parts)

    @property
    def schema(self) -> str:
        """Where the marts of this job stand."""
        return f"{space_name(self.record.run_id)}_marts"

    @property
    def _logs(self) -> Path:
        return self.folder.path / "logs"

    @property
    def _kept(self) -> Path:
        return self.folder.path / "dbt"

    def parse(self) -> str:
        """Compile every model, find what to compare with, and what differs.

        Raises:
            BuildBroke: the project does not parse.
        """
        target, cache = self.folder.path / "target" / "compiled", self.settings.root / "target/ci"
        dbt.keep_artifacts(cache, target, (PARSE,))
        root = self.settings.root
        outcome = dbt.run_dbt(dbt.compile_args(self.settings, self._logs, root, target))
        if not outcome.success:
            raise BuildBroke(f"The project does not compile: {'; '.join(outcome.said[:2])}")
        dbt.keep_artifacts(target, cache, (PARSE,))
        self.manifest = read_artifact(target / "manifest.json")
        self.baseline = base = find_baseline(self.session, self.settings, self.options.state)
        state = self.folder.path / "state" if base.state else None
        if base.state and state:
            self.before = write_state(base.state, state, self.dbname)
        self.selected = dbt.list_changed(self.settings, self._logs, target, state)
        self.helpers = upstream(self.manifest, self.selected, base.marts)
        self._tell()
        return f"{len(self.report.changed)} of {self._models()} models to build, {self._against()}"

    def lint(self) -> str:
        """Ask the linters that are installed about what differs."""
        if not self.options.linted:
            return "left out"
        self.report.lint = lint(self.settings.root, changed_files(self.manifest, self.before))
        return ", ".join(f"{each.tool} {each.status}" for each in self.report.lint)

    def build(self) -> str:
        """Build what differs, all downstream, and what it reads on the way from raw."""
        models = [*of_kind(self.selected, BUILT), *self.helpers]
        if not models:
            return "no model differs from what readers have"
        only = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
        self._dbt("build", *only, "--select", *names_of(models))
        nodes, _ = self._results()
        self.built = {node.unique_id for node in nodes if node.status == "success"}
        self.report.nodes = [node for node in nodes if node.unique_id in self.selected]
        self.report.nodes += [
            n for n in nodes if n.unique_id in self.helpers and n.status == "error"
        ]
        return f"{len(models)} models, {len(self.helpers)} of them only to be read"

    def test(self) -> str:
        """Run the unit tests and data tests of what was built.

        Those of a model that did not build are left out: dbt would ask the one that readers have.
        """
        concerned = list(of_kind(self.selected, TESTS))
        tests = runnable(self.manifest, concerned, {*self.selected, *self.helpers} - self.built)
        if left := len(concerned) - len(tests):
            self.report.notes.append(f"Tests left out, for their models did not build: {left}.")
        if not tests:
            return "no test is concerned"
        self._dbt("test", "--indirect-selection", "empty", "--select", *names_of(tests))
        nodes, self.report.tests = self._results()
        self.report.nodes += [node for node in nodes if node.status in {"error", "runtime error"}]
        self.report.failed_rows = [
            self._rows_of(test) for test in self.report.of_status("fail", "warn") if test.stored_in
        ]
        failed = len(self.report.of_status("fail"))
        return f"{len(self.report.tests) - failed} of {len(self.report.tests)} tests passed"

    def compare(self) -> str:
        """Hold the marts against those that readers have: columns, rows, price.

        Raises:
            MovedOn: another version was published meanwhile.
        """
        mine = {name for name, _ in relations(self.session.cursor(), self.schema)}
        hidden = read_masked(self._kept, {self.schema})
        with self.session.cursor() as cursor:
            for mart in sorted(mine):
                ours = (self.schema, mart)
                if mart in self.baseline.marts:
                    secret = {*self.baseline.marts[mart][1], *hidden.get(mart, [])}
                    theirs = self.baseline.rows_of(mart)
                    found = compare(cursor, theirs, ours, secret, self.options.limit)
                    self.report.marts[mart] = found
                else:
                    ddl(cursor, "select count(*) from {}.{}", *ours)
                    self.report.new[mart] = int((cursor.fetchone() or (0,))[0])
            live = standing_in(cursor, LIVE) if self.baseline.version else None
        if live != self.baseline.version:
            raise MovedOn(
                "Another version was published while this one was compared with: run it again."
            )
        breaking.look(self)
        self.report.cost = self._cost()
        differ = sum(not found.identical for found in self.report.marts.values())
        return f"{differ} of {len(self.report.marts)} marts differ from those of readers"

    def _dbt(self, command: str, *extra: str) -> None:
        """One dbt command. What it finds is in its results; a failure of none of them is ours."""
        target = self.folder.path / "target" / "build"
        state = str(self.folder.path / "state")
        # without --favor-state: what stands in our schemas is what the tests have to read
        defer = ("--defer", "--state", state) if self.before else ()
        dbt.forget_artifacts(target, ("run_results.json",))
        version = self.baseline.version
        as_of = version.watermark if version else None
        args = dbt.ci_args(self.settings, self._logs, target, command, as_of, *defer, *extra)
        outcome = dbt.run_dbt(args, lambda n: self.console.node(n.unique_id, n.status, n.seconds))
        dbt.keep_artifacts(target, self._kept, ARTIFACTS)
        if not outcome.success and not (target / "run_results.json").exists():
            raise BuildBroke(f"dbt {command} failed: {'; '.join(outcome.said[:2])}")

    def _results(self) -> tuple[list[NodeResult], list[TestResult]]:
        nodes, tests = read_build(self._kept)
        self.record.nodes += nodes
        self.record.tests += tests
        return nodes, tests

    def _rows_of(self, test: TestResult) -> FailedRows:
        """Some of the rows that fail a test."""
        name = (test.stored_in or "").rpartition(".")[2].strip('"')
        schema = f"{space_name(self.record.run_id)}_{QUARANTINE}"
        with self.session.cursor() as cursor:
            found = masked_rows(cursor, schema, name, 5, partial(read_hidden, self._kept, name))
        shown = ({column: None if value is None else str(value) for column, value in row.items()}
                 for row in found)  # fmt: skip
        return FailedRows(test.name, tuple(shown))

    def _cost(self) -> list[Cost]:
        before = seconds_before(self.session, [node.unique_id for node in self.report.nodes])
        found = []
        for node in self.report.nodes:
            if node.status == "success" and node.unique_id.startswith("model."):
                known = self.report.marts.get(node.name)
                found.append(Cost(
                    node.name, node.seconds, before.get(node.unique_id),
                    known.rows_b if known else self.report.new.get(node.name),
                    known.rows_a if known else None,
                    self._size((self.schema, node.name)),
                    self._size(self.baseline.marts[node.name][0]) if known else None,
                ))  # fmt: skip
        return found

    def _size(self, relation: tuple[str, str]) -> int | None:
        with self.session.cursor() as cursor:
            cursor.execute(SIZE, relation)
            return (cursor.fetchone() or (None,))[0]

    def _models(self) -> int:
        return sum(1 for _ in of_kind(self.manifest["nodes"], BUILT))

    def _against(self) -> str:
        version = self.baseline.version
        return f"compared with version {version.number}" if version else "with nothing to compare"

    def _tell(self) -> None:
        """What the report says at the top."""
        base, report = self.baseline, self.report
        report.changed = names_of(list(of_kind(self.selected, BUILT)))
        report.upstream = names_of(self.helpers)
        if base.version:
            report.version, report.as_of = base.version.number, base.version.watermark
            report.base_commit = base.version.git_commit
        if not base.state:
            report.notes.append(f"Everything was built, not only what differs: {base.why}.")
        if base.newer:
            report.notes.append(
                f"Raw has moved on to load {base.newer}; both sides are as of load {report.as_of}, "
                "so what differs is the work of the code."
            )
