"""What a run saw that is wrong, each cause with a key of its own, and what it saw that is well.

A cause that was not looked at is neither: a run that never came to its tests says nothing of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestration.drift.metrics import LAG
from orchestration.errors import BAD_DATA, LOCKED, OK, without_values
from orchestration.incidents.project import Project
from orchestration.records import CANCELLED, RunRecord

NOTE, WARN, ERROR = SEVERITIES = ("note", "warn", "error")
KINDS = {"run", "ingest", "deploy", "publish", "quarantine"}  # whose end somebody must hear of
LOADING = {"run", "ingest"}
PASSED, FAILED, BROKE = {"pass", "success"}, {"fail", "warn"}, {"error", "runtime error"}
KILLED, WAREHOUSE = "run:killed", "run:warehouse"
TERMINATED = 128 + 15


@dataclass(frozen=True)
class Cause:
    """Something that is wrong. `key` stays the same as long as the cause does.

    `size` says how bad it is, in `unit`: an incident whose size doubles is told again. `nodes` are
    the unique ids of what it strikes, the cause itself first.
    """

    key: str
    kind: str  # test, freshness, drift, rejected, run
    severity: str
    title: str
    size: float = 1.0
    unit: str = ""
    nodes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    past: bool = False  # it was over before the run that found it began, and this run may heal it


def tests(record: RunRecord, project: Project) -> Iterator[Cause]:
    """Each test that failed or could not run."""
    for test in record.tests:
        if test.status not in FAILED | BROKE:
            continue
        broke = test.status in BROKE
        read = project.tested(test.unique_id) or ([test.tested] if test.tested else [])
        where = f" of {' and '.join(map(project.label, read))}" if len(read) in {1, 2} else ""
        yield Cause(
            f"test:{test.unique_id}", "test", WARN if test.status == "warn" else ERROR,
            f"test {test.name}{where} {'could not run' if broke else 'failed'}",
            float(test.failures or 1), "" if broke else "rows", (test.unique_id, *read),
            {"test": test.name},
        )  # fmt: skip


def freshness(record: RunRecord, project: Project) -> Iterator[Cause]:
    """Each source with stale tables: what stops an API stops all of them."""
    for source in sorted({seen.source for seen in record.freshness}):
        stale = [f for f in record.freshness if f.source == source and f.status != "pass"]
        if not stale:
            continue
        names = sorted(seen.table_name for seen in stale)
        oldest = max((seen.age_seconds or 0.0) for seen in stale) / 3600
        severity = WARN if all(seen.status == "warn" for seen in stale) else ERROR
        since = f"; the newest row is {oldest:,.0f} h old" if oldest else "; nothing ever came"
        known = project.source_tables(source)
        yield Cause(
            f"freshness:{source}", "freshness", severity,
            f"source {source} is stale: {', '.join(names)}{since}", oldest, "hours",
            tuple(known[name] for name in names if name in known), {"tables": names},
        )  # fmt: skip


def drifting(record: RunRecord, project: Project) -> list[dict[str, Any]]:
    """What drifts, without the growing lag of what a stale source feeds: that is the source's."""
    stale = {
        node for seen in record.freshness if seen.status != "pass"
        if (node := project.source_tables(seen.source).get(seen.table_name))
    }  # fmt: skip
    fed = {project.label(each) for node in stale for each in (node, *project.downstream(node))}
    return [row for row in record.drifts if row["metric"] != LAG or row["table_name"] not in fed]


def rejected(record: RunRecord, project: Project) -> Iterator[Cause]:
    """Each table of which more was rejected than its contract takes for usual."""
    for load in record.loads:
        for table, said in load.exceeded.items():
            node = project.source_tables(load.source).get(table)
            yield Cause(
                f"rejected:{load.source}.{table}", "rejected", ERROR if load.error else WARN,
                f"{load.source}: {said}", float(load.rejected.get(table, 1)), "rows",
                (node,) if node else (), {"table": table},
            )  # fmt: skip


def broken(record: RunRecord, project: Project) -> Iterator[Cause]:
    """What stopped the run, where it was not the data; and runs that were found dead."""
    if dead := record.buried:
        runs = f"run {dead[0]} was" if len(dead) == 1 else f"runs {', '.join(dead)} were"
        yield Cause(KILLED, "run", ERROR, f"{runs} killed", past=True)
    if record.exit_code == TERMINATED:  # by a machine; who presses Ctrl-C knows
        yield Cause(KILLED, "run", ERROR, f"run {record.run_id} was terminated")
    if record.exit_code in {None, OK, LOCKED} or record.status == CANCELLED:
        return
    failed = next((step for step in record.steps if step.status == "failed"), None)
    if failed and failed.step == "ingest":
        for load in record.loads:
            if load.error and not load.exceeded:
                yield Cause(
                    f"run:ingest:{load.source}", "run", ERROR,
                    f"source {load.source} could not be loaded: {briefly(load.error)}",
                    nodes=tuple(project.source_tables(load.source).values()),
                )  # fmt: skip
        if any(load.error for load in record.loads):
            return
    if record.exit_code != BAD_DATA:
        models = [node for node in record.nodes if node.status in BROKE and _builds(node)]
        step = failed.step if failed else "start"
        yield Cause(
            f"run:{step}", "run", ERROR, f"the step {step} broke: {_reason(record, models)}",
            float(max(len(models), 1)), "models" if models else "",
            tuple(node.unique_id for node in models),
        )  # fmt: skip


def refused(record: RunRecord) -> Cause:
    """What was not published because it is bad, where no test or threshold of ours says so."""
    failed = next((step for step in record.steps if step.status == "failed"), None)
    step = failed.step if failed else "start"
    return Cause(f"run:{step}", "run", ERROR, f"the step {step} refused the data: "
                 f"{briefly(record.reason or 'for no known reason')}")  # fmt: skip


def briefly(text: str) -> str:
    """The first two lines of an error as one, without values of rows."""
    return without_values(" ".join(" ".join(text.strip().splitlines()[:2]).split()))


def _builds(node: Any) -> bool:
    return node.resource_type not in {"test", "unit_test"}


def _reason(record: RunRecord, models: list[Any]) -> str:
    if not models:
        return briefly(record.reason or "for no known reason")
    more = f" (and {len(models) - 1} more)" if models[1:] else ""
    said = briefly(models[0].message or "")
    return f"{models[0].resource_type} {models[0].name}{more}: {said}"


@dataclass(frozen=True)
class Looked:
    """What a run has looked at and found well."""

    record: RunRecord
    project: Project

    def over(self, key: str, details: dict[str, Any]) -> str | None:
        """Why the incident of this key is over, if this run can tell that it is."""
        kind, _, rest = key.partition(":")
        return {
            "test": self._test, "freshness": self._fresh, "drift": self._drift,
            "rejected": self._accepted, "run": self._ran,
        }[kind](rest, details)  # fmt: skip

    def _test(self, unique_id: str, details: dict[str, Any]) -> str | None:
        result = next((t for t in self.record.tests if t.unique_id == unique_id), None)
        if result:
            return "the test passes" if result.status in PASSED else None
        gone = self.record.tests and not self.project.knows(unique_id)
        return "the test is no longer in the project" if gone else None

    def _fresh(self, source: str, details: dict[str, Any]) -> str | None:
        found = [seen for seen in self.record.freshness if seen.source == source]
        fine = found and all(seen.status == "pass" for seen in found)
        return "new rows have come" if fine else None

    def _drift(self, root: str, details: dict[str, Any]) -> str | None:
        tables = {table for table in details["tables"] if self.project.table(table)}
        if not tables:
            return "its tables are no longer in the project"
        if not tables <= self.record.measured.keys():
            return None
        still = {row["table_name"] for row in drifting(self.record, self.project)}
        return None if still & tables else "it is back in its band"

    def _accepted(self, name: str, details: dict[str, Any]) -> str | None:
        source = name.partition(".")[0]
        return "a load came without" if self._loaded(source) else None

    def _ran(self, what: str, details: dict[str, Any]) -> str | None:
        if what.startswith("ingest:"):
            return "it was loaded" if self._loaded(what.partition(":")[2]) else None
        done = {step.step for step in self.record.steps if step.status == "done"}
        if what in {"killed", "start", "warehouse"}:
            return "a later run has healed it" if done and not self.record.exit_code else None
        return f"the step {what} is done" if what in done else None

    def _loaded(self, source: str) -> bool:
        return self.record.kind in LOADING and any(
            load.source == source and not load.error for load in self.record.loads
        )
