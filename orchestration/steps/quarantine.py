"""Send rows of the quarantine through the door again."""

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError
from orchestration.exports import read_rows
from orchestration.steps.ingest import load_source, loaders_login

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from ingestion.stored import Heap
    from orchestration.run import Run

COLUMNS = ("_dlt_id", "content")  # what an edited file must have


def find_heaps(session: "connection") -> list["Heap"]:
    """What stands in quarantine, of all sources."""
    from ingestion.registry import SOURCES
    from ingestion.stored import heaps

    with session.cursor() as cursor:
        return [heap for source in SOURCES for heap in heaps(cursor, source)]


def find_heap(session: "connection", table: str) -> "Heap":
    """The rows of one table; `source.table` where two sources have one of this name.

    Raises:
        ConfigurationError: nothing of it was ever rejected.
    """
    every = find_heaps(session)
    found = [heap for heap in every if table in {heap.table, f"{heap.source}.{heap.table}"}]
    if len(found) != 1:
        names = ", ".join(f"{heap.source}.{heap.table}" for heap in every) or "none"
        raise ConfigurationError(f"No rows of {table!r} are in quarantine. Tables: {names}.")
    return found[0]


def replay_rejected(run: "Run", table: str | None, fixed: Path | None) -> str:
    """Load what waits in quarantine, or the edited rows of a file; what passes leaves.

    Raises:
        ConfigurationError: no such table, or a file of other rows.
        IngestionStopped: the load broke; nothing has left.
    """
    from ingestion.registry import SOURCES
    from ingestion.stored import all_ids, replayable

    heap = find_heap(run.session, table) if table else None
    edited = _edited(fixed) if fixed else None
    only = heap.table if heap else None
    with run.session.cursor() as cursor:
        sources = [heap.source] if heap else list(SOURCES)
        again = {source: replayable(cursor, source, only, edited) for source in sources}
        unknown = set(edited or ()).difference(*(all_ids(cursor, s, only) for s in sources))
    if unknown:
        raise ConfigurationError(f"{fixed}: never rejected here: {', '.join(sorted(unknown))}.")
    run.record.loads = []
    with loaders_login(run):
        for source, rows in again.items():
            if rows:
                load_source(run, source, again=rows)
    waiting = {heap.table: heap.waiting for heap in find_heaps(run.session)}
    said = [
        f"{name}: {load.released.get(name, 0):,} left the quarantine, {waiting[name]:,} wait"
        for load in run.record.loads for name in again[load.source]
    ]  # fmt: skip
    return ", ".join(said) or "nothing waits in quarantine"


def _edited(path: Path) -> dict[str, str]:
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if not all(isinstance(row.get(name), str) for name in COLUMNS):
            raise ConfigurationError(
                f"{path}, row {number}: it must have {' and '.join(COLUMNS)}, as "
                "`ecluse quarantine export` writes them."
            )
    return {row["_dlt_id"]: row["content"] for row in rows}
