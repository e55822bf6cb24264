"""Load the sources into raw."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestration.dead_runs import end_sessions
from orchestration.demo import Demo, demo_for
from orchestration.recording.replay import replayed
from orchestration.records import INTERRUPTED
from orchestration.roles import share_raw
from orchestration.steps.lineage import loaded_source
from orchestration.taking_in import as_errors_of_a_run

if TYPE_CHECKING:
    from ingestion.intake import Window
    from ingestion.load import LoadRecord
    from ingestion.quarantine import Again
    from orchestration.run import Run


def ingest(
    run: "Run",
    sources: tuple[str, ...],
    window: "Window | None" = None,
    allow_empty: tuple[str, ...] = (),
) -> str:
    """Load the sources one after the other; all of a source becomes visible, or nothing.

    Tried again after a passing fault, it goes on with the sources that are not loaded yet.

    Raises:
        IngestionStopped: an API or a load broke.
        DataRejected: rows broke their contract.
        ConfigurationError: a setting of the source is wrong.
    """
    run.record.loads = [
        load for load in run.record.loads if not (load.error and load.source in sources)
    ]
    loaded = {load.source for load in run.record.loads}
    moves = window is None
    with loaders_login(run), demo_for(run.settings, sources, moves) as demo:
        for name in sources:
            if name not in loaded:
                load_source(run, name, window, allow_empty, demo=demo)
    return "; ".join(map(_said, run.record.loads))


@contextmanager
def loaders_login(run: "Run") -> Iterator[None]:
    """Where dlt has one, what we do with ours must be done with that one for what is its own."""
    if not run.settings.loader_url:
        yield
        return
    with run.loader.session() as session:
        for sentence in end_sessions(session):
            run.note(sentence)
    yield
    with run.loader.session() as session:
        share_raw(session, run.settings)


def load_source(
    run: "Run",
    name: str,
    window: "Window | None" = None,
    allow_empty: tuple[str, ...] = (),
    again: "dict[str, list[Again]] | None" = None,
    demo: Demo | None = None,
) -> None:
    """Load one source, or rows of its quarantine `again`, and tell in notes what came with it.

    `demo` stands in for an API that nobody has named.
    """
    from ingestion.load import LoadRecord, load

    record = LoadRecord(name, f"raw_{name}", datetime.now(UTC))
    run.record.loads.append(record)
    options: dict[str, Any] = {"window": window, "allow_empty": allow_empty}
    with ExitStack() as stack:
        recorded = None if again else stack.enter_context(replayed(run.settings, name))
        if recorded:
            options["most_pages"] = recorded.pages
            options |= {"base_url": recorded.base_url} if recorded.base_url else {}
        elif demo:
            options |= demo.options(name)
        days = (window.since, window.until) if window else (None, None)
        _keep_contract(run, name)
        run.events.load_started(record, *days)
        stack.callback(run.events.load_ended, record, partial(loaded_source, run, record))
        try:
            with as_errors_of_a_run():
                load(
                    name,
                    run.loader.url(),
                    run.settings.dlt_dir / "pipelines",
                    run.folder.path / "dlt",
                    watch=partial(_watched, run, record),
                    record=record,
                    run_id=run.record.run_id,
                    again=again,
                    **options,
                )
        except KeyboardInterrupt:
            record.error = INTERRUPTED
            raise
    _tell(run, record)


def _keep_contract(run: "Run", name: str) -> None:
    """Put what the source promises now beside dlt's schema, for the record and the site."""
    from ingestion.registry import contracts_of

    folder = run.folder.path / "dlt"
    folder.mkdir(parents=True, exist_ok=True)
    promised = json.dumps([contract.promises() for contract in contracts_of(name)], indent=1)
    (folder / f"{name}.contract.json").write_text(promised)


def _watched(
    run: "Run", record: "LoadRecord", stage: str, name: str, done: int, of: int | None
) -> None:
    run.console.watch(stage, name, done, of)
    if stage == "extract" and of:  # a page; a fault has no number
        run.events.page(record, name)


def _tell(run: "Run", record: "LoadRecord") -> None:
    """What of a load a person should know, as notes of the run."""
    for sentence in (*record.healed(), *record.changes, *record.warned):
        run.note(f"{record.source}: {sentence}")
    if record.rejected:
        run.note(
            f"{record.source}: {_counted(record.rejected, 'rows rejected')}: "
            "`.venv/bin/ecluse quarantine list`"
        )
    if record.released:
        run.note(f"{record.source}: {_counted(record.released, 'rows left the quarantine')}")
    if record.retries:
        run.note(f"{record.source}: faults of the API that retries got over: {len(record.retries)}")


def _said(load: "LoadRecord") -> str:
    if not load.pages:
        return f"{load.source}: nothing was asked, as it has no address"
    new = {table: rows for table, rows in load.loaded.items() if rows}
    broken = f"; {_counted(load.rejected, 'rows rejected')}" if load.rejected else ""
    return f"{load.source}: {_counted(new, 'new rows')}{broken}"


def _counted(rows: Mapping[str, int], what: str) -> str:
    most_first = sorted(rows.items(), key=lambda item: -item[1])
    words = ", ".join(f"{table} {count:,}" for table, count in most_first)
    return f"{sum(rows.values()):,} {what}" + (f" ({words})" if words else "")
