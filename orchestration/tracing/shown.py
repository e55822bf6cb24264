"""A trace in words, for a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from orchestration.tracing.origin import Load, Origin, RawRow, RowVersion
from orchestration.tracing.trace import Table, Trace

OF_THE_LOADER = ("_dlt_", "_page")


def in_words(trace: Trace, limit: int) -> Iterator[str]:
    """Lines: the row, what stands behind it table by table, and how that came into raw."""
    shown = ", ".join(f"{name} {value}" for name, value in trace.key.items())
    yield f"marts.{trace.mart}, {shown}: version {trace.version}, built by run {trace.built_by}"
    for table in trace.tables:
        yield ""
        yield f"{table.relation}: {_rows(table.count)}{_cut(table, limit)}"
        if table.origin:
            yield from _origin(table.origin)
        else:
            yield from (f"  {_pairs(row)}" for row in table.rows)
    if trace.notes:
        yield ""
        yield from (f"note: {note}" for note in trace.notes)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _cut(table: Table, limit: int) -> str:
    return f", the first {limit} of them (--limit)" if table.count > limit else ""


def _pairs(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'null' if value is None else value}" for name, value in row.items())


def _origin(origin: Origin) -> Iterator[str]:
    loads = {load.load_id: load for load in origin.loads}
    for load in origin.loads:
        yield f"  load {load.load_id}: {_rows(load.rows)}{_run(load)}"
    for row in origin.rows:
        if row.payload is None:
            nested = ", nested in another row" if "_dlt_parent_id" in row.row else ""
            yield f"  {_pairs(_of_the_source(row.row))} (load {row.load_id}{nested})"
            continue
        yield f"  {_request(row, loads.get(row.load_id))}"
        yield f"    {'came as' if row.proven else 'perhaps came as'} {row.payload}"
        yield from _versions(row.versions, loads)
    if origin.compacted:
        gone = origin.compacted
        yield (f"  history older than load {gone['before_load']} was removed by run "
               f"{gone['run_id']} (ecluse compact): earlier versions may be missing")  # fmt: skip


def _run(load: Load) -> str:
    when = f", complete {_moment(load.completed_at)}" if load.completed_at else ""
    if load.run_id is None:
        return f"{when}, by a run that ops does not know"
    return f"{when}, by run {load.run_id}"


def _request(row: RawRow, load: Load | None) -> str:
    if row.set_aside:
        was = row.set_aside
        return (
            f"load {row.load_id}, {was['released_how']} by run {was['released_by']}; first came on "
            f"page {was['page']}, row {was['row_number']} of {was['endpoint']}, and was set aside "
            f"by run {was['run_id']}: {was['path']}: {was['reason']}"
        )
    if row.page is None:
        return f"load {row.load_id}; its page is not known"
    if load is None or load.endpoint is None:
        return f"load {row.load_id}, page {row.page}"
    query = f"?{load.query}" if load.query else ""
    return f"load {row.load_id}, page {row.page} of {load.pages} of GET {load.endpoint}{query}"


def _versions(versions: Iterable[RowVersion], loads: Mapping[str, Load]) -> Iterator[str]:
    every = list(versions)
    for version in every if len(every) > 1 else ():
        mark = "*" if version.used else " "
        differs = f": {_pairs(version.differs)}" if version.differs else ""
        ended = f", until {_moment(version.valid_to)}" if version.valid_to else ""
        used = " (this one is used)" if version.used else ""
        yield f"    {mark} version of load {version.load_id}{ended}{used}{differs}"
    if len(every) == 1 and every[0].valid_to:
        yield f"      no longer sent by the API since {_moment(every[0].valid_to)}"


def _of_the_source(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith(OF_THE_LOADER)}


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"
