"""A trace in words, for a terminal."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from orchestration.tracing.origin import Came, Load, Origin
from orchestration.tracing.trace import Table, Trace

OF_THE_LOADER = ("_dlt_", "_page")


def in_words(trace: Trace) -> Iterator[str]:
    """Lines: the row, what stands behind it table by table, and how that came into raw."""
    built = f"version {trace.version}, built by run {trace.built_by}"
    yield f"marts.{trace.mart}, {_pairs(trace.key)}: {built}"
    for table in trace.tables:
        shown = len(table.rows)
        cut = f", the first {shown} of them (--limit)" if table.count > shown else ""
        yield ""
        yield f"{table.relation}: {_rows(table.count)}{cut}"
        if table.origin:
            yield from _origin(table, table.origin)
        else:
            yield from (f"  {_pairs(row)}" for row in table.rows)
    if trace.notes:
        yield ""
        yield from (f"note: {note}" for note in trace.notes)


def _origin(table: Table, origin: Origin) -> Iterator[str]:
    loads = {load.load_id: load for load in origin.loads}
    for load in origin.loads:
        by = f"run {load.run_id}" if load.run_id else "a run that ops does not know"
        when = _moment(load.completed_at)
        yield f"  load {load.load_id}: {_rows(load.rows)}, complete {when}, by {by}"
    for row, came in zip(table.rows, origin.rows, strict=True):
        if came.payload is None:
            values = {name: value for name, value in row.items()
                      if not name.startswith(OF_THE_LOADER)}  # fmt: skip
            nested = ", nested in another row" if "_dlt_parent_id" in row else ""
            yield f"  {_pairs(values)} (load {came.load_id}{nested})"
        else:
            yield f"  load {came.load_id}, {_request(came, loads.get(came.load_id))}"
            yield f"    {'came as' if came.proven else 'perhaps came as'} {came.payload}"
            yield from _versions(came)
    if gone := origin.compacted:
        yield (f"  history older than load {gone['before_load']} was removed by run "
               f"{gone['run_id']} (ecluse compact): earlier versions may be missing")  # fmt: skip


def _request(came: Came, load: Load | None) -> str:
    if was := came.set_aside:
        return (
            f"{was['released_how']} by run {was['released_by']}; first came on page {was['page']}, "
            f"row {was['row_number']} of {was['endpoint']}, and was set aside by run "
            f"{was['run_id']}: {was['path']}: {was['reason']}"
        )
    if came.page is None:
        return "its page is not known"
    if load is None or load.endpoint is None:
        return f"page {came.page}"
    query = f"?{load.query}" if load.query else ""
    return f"page {came.page} of {load.pages} of GET {load.endpoint}{query}"


def _versions(came: Came) -> Iterator[str]:
    alone = len(came.versions) == 1
    for version in came.versions:
        if alone and version.valid_to:
            yield f"      no longer sent by the API since {_moment(version.valid_to)}"
        elif not alone:
            differs = f": {_pairs(version.differs)}" if version.differs else ""
            ended = f", until {_moment(version.valid_to)}" if version.valid_to else ""
            mark, used = ("*", " (this one is used)") if version.used else (" ", "")
            yield f"    {mark} version of load {version.load_id}{ended}{used}{differs}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _pairs(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'null' if value is None else value}" for name, value in row.items())


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
