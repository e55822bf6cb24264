"""The steps of a run: thin, each says in one sentence what it did."""

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from orchestration import artifacts, dbt
from orchestration.demo import demo_source
from orchestration.environment import published_state
from orchestration.errors import (
    BuildBroke,
    ConfigurationError,
    DataRejected,
    IngestionStopped,
    find_interrupt,
)
from orchestration.publish import prepare, publish
from orchestration.records import PUBLISHED
from orchestration.run import Run
from orchestration.workflow import Step

if TYPE_CHECKING:
    from ingestion.load import LoadRecord
    from ingestion.resources import Window

SHOWN = 5  # failed tests named in the reason; all are in the record
PUBLISHED_ARTIFACTS = ("manifest.json", "catalog.json", "index.html")


def whole_run(run: Run) -> tuple[Step, ...]:
    """Ingest every source, build, publish, collect."""
    from ingestion.registry import SOURCES

    return (
        Step("ingest", partial(ingest, run, tuple(SOURCES))),
        Step("build", partial(build, run)),
        Step("publish", partial(publish_marts, run)),
        Step("collect", partial(collect, run), always=True),
    )


def ingest(
    run: Run,
    sources: tuple[str, ...],
    window: "Window | None" = None,
    allow_empty: tuple[str, ...] = (),
) -> str:
    """Load the sources one after the other; all of a source becomes visible, or nothing.

    Raises:
        IngestionStopped: an API or a load broke.
        DataRejected: rows broke their contract.
        ConfigurationError: a setting of the source is wrong.
    """
    from ingestion.errors import RowsRejected, SourceFailed, WrongSetting
    from ingestion.load import LoadRecord, load

    for name in sources:
        record = LoadRecord(name, f"raw_{name}", datetime.now(UTC))
        run.record.loads.append(record)
        options: dict[str, object] = {"window": window, "allow_empty": allow_empty}
        with ExitStack() as stack:
            if name == "jaffle_shop":
                demo = demo_source(run.settings, moves=window is None)
                options["base_url"] = run.settings.base_url or stack.enter_context(demo)
            try:
                load(
                    name,
                    run.warehouse.url(),
                    run.settings.dlt_dir / "pipelines",
                    run.folder.path / "dlt",
                    watch=run.console.watch,
                    record=record,
                    **options,
                )
            except RowsRejected as error:
                raise DataRejected(str(error)) from error
            except WrongSetting as error:
                raise ConfigurationError(str(error)) from error
            except SourceFailed as error:
                if interrupt := find_interrupt(error):
                    record.error = "interrupted"
                    raise interrupt from None
                raise IngestionStopped(str(error)) from error
        for deed in record.healed():
            run.note(f"{name}: {deed}")
        if record.retries:
            run.note(f"{name}: faults of the API that retries got over: {len(record.retries)}")
    return "; ".join(map(_said, run.record.loads))


def build(run: Run) -> str:
    """Check the sources' freshness, then build and test everything, the marts in marts__next.

    Raises:
        DataRejected: a test of severity "error" failed; says which and how many rows.
        BuildBroke: dbt or a model broke.
    """
    target, logs = dbt.build_path(run.settings), run.folder.path / "logs"
    keep = run.folder.path / "dbt"
    dbt.forget_artifacts(target, ("manifest.json", "sources.json", "run_results.json"))
    prepare(run.session)
    dbt.run_dbt(dbt.freshness_args(run.settings, logs))
    dbt.keep_artifacts(target, keep, ("sources.json",))
    run.record.freshness = artifacts.read_freshness(keep)
    try:
        outcome = dbt.run_dbt(dbt.build_args(run.settings, logs), run.console.node)
    finally:
        dbt.keep_artifacts(target, keep, ("manifest.json", "run_results.json"))
        run.record.nodes, run.record.tests = artifacts.read_build(keep)
        artifacts.write_failed_queries(keep, run.folder.path / "failed")
    stale = [f"{f.source}.{f.table_name}" for f in run.record.freshness if f.status != "pass"]
    if stale:
        run.note(f"stale sources: {', '.join(stale)}")
    warned = [test.name for test in run.record.tests if test.status == "warn"]
    if warned:
        run.note(f"tests that warn: {', '.join(warned)}")
    _judge(run, outcome)
    models = sum(node.resource_type == "model" for node in run.record.nodes)
    passed = sum(test.status in {"pass", "success"} for test in run.record.tests)
    return f"{models} models, {passed} of {len(run.record.tests)} tests passed" + (
        f", {len(warned)} warned" if warned else ""
    )


def publish_marts(run: Run) -> str:
    """Switch the marts for readers, all at once."""
    done = publish(run.session, run.settings.publish_timeout)
    run.record.status = PUBLISHED
    run.record.published = {"tables": done.tables, "seconds": done.seconds, "at": datetime.now(UTC)}
    if done.kept:
        run.note(f"an older version is kept as {done.kept}: something outside depends on it")
    return f"{len(done.tables)} marts switched in {done.seconds:.2f} s"


def collect(run: Run) -> str:
    """Document what readers see now: dbt's docs and the catalog of the published marts."""
    target = dbt.generate_docs(run.settings, run.folder.path / "logs")
    dbt.keep_artifacts(target, run.folder.path / "dbt", ("catalog.json",))
    if not (run.folder.path / "dbt" / "manifest.json").exists():
        dbt.keep_artifacts(target, run.folder.path / "dbt", ("manifest.json",))
    if run.record.status == PUBLISHED:
        dbt.keep_artifacts(target, published_state(run.settings), PUBLISHED_ARTIFACTS)
    return f"record and artifacts in {run.folder.path.relative_to(run.settings.root)}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _said(load: "LoadRecord") -> str:
    new = {table: rows for table, rows in load.loaded.items() if rows}
    most_first = sorted(new.items(), key=lambda item: -item[1])
    words = ", ".join(f"{table} {rows:,}" for table, rows in most_first)
    return f"{load.source}: {sum(new.values()):,} new rows" + (f" ({words})" if words else "")


def _judge(run: Run, outcome: dbt.DbtOutcome) -> None:
    """Tell bad data from a broken build: only a test that ran and found rows is bad data."""
    broken = [n for n in run.record.nodes if n.status in {"error", "runtime error"}]
    failed = [test for test in run.record.tests if test.status == "fail"]
    where = f"see `.venv/bin/ecluse runs show {run.record.run_id}`"
    if broken:
        first = broken[0]
        said = " ".join((first.message or "").split())
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise BuildBroke(f"{first.resource_type} {first.name}{more} broke: {said}; {where}")
    if failed:
        names = "; ".join(f"{t.name} ({_count(t.failures or 0, 'row')})" for t in failed[:SHOWN])
        more = f" (and {len(failed) - SHOWN} more)" if len(failed) > SHOWN else ""
        raise DataRejected(
            f"{_count(len(failed), 'test')} failed: {names}{more}. Nothing was published, readers "
            f"keep the marts they had. The rows: {where}"
        )
    if not outcome.success:
        raise BuildBroke(f"dbt build failed: {'; '.join(outcome.said[:2]) or where}")
