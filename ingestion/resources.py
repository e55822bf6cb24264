"""The two kinds of resource that raw knows: a log read by cursor, and a snapshot with history.

Both fetch pages in one generator and decode them in dlt's worker threads. Rows become visible
only when dlt marks the whole load as complete.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.sources import DltResource

from ingestion.check import Breach
from ingestion.contract import Contract
from ingestion.decode import ROOT_LENGTH, decode
from ingestion.intake import Intake, Window
from ingestion.keys import keys_of
from ingestion.known_rows import count_current, current_ids, current_nested, current_rows
from ingestion.pages import PAGE, Page
from ingestion.quarantine import QUARANTINE, Aside, marked
from ingestion.sift import Sifted, sift
from ingestion.walk import Walk, first_of_each

Fetch = Callable[..., Iterator[Page]]
Reshape = Callable[[Page, Contract], tuple[Page, Contract]]


def as_sent(page: Page, contract: Contract) -> tuple[Page, Contract]:
    """Rows that are in the contract's shape already."""
    return page, contract


def cursor_resource(
    contract: Contract,
    cursor: str,
    fetch: Fetch,
    intake: Intake,
    back: Callable[[Any], Any],
    reshape: Reshape = as_sent,
    twice: bool = False,
) -> DltResource:
    """An append-only log. A row comes in again only when its content changed.

    The cursor is the newest `cursor` value seen, kept in dlt's state, which is committed with the
    load and so never runs ahead of it.

    Args:
        contract: of the rows.
        cursor: the column that says where in the log a row stands.
        fetch: the pages from a value of it on, and up to a day.
        intake: of this load.
        back: where to start, given the newest value that is known.
        reshape: what the rows go through before the contract sees them.
        twice: go back to where the load before has started. Where pages are counted, a row that
            moves pushes another one over an edge that we are past.
    """
    walk: Walk | None = None
    span = Window()
    aside, window = intake.aside(contract), intake.window
    if aside.again:
        window = Window()  # of all days

    def pages() -> Iterator[Page]:
        nonlocal walk, span
        state = dlt.current.resource_state(contract.table)
        newest = state.get("newest")
        start = _value(state.get("before") if twice else newest, contract, cursor)
        # a window starts where it is told; without one, the cursor and the look-back decide
        span = window or Window(since=None if start is None else back(start))
        known = current_ids(contract, cursor, span.since, span.until)
        walk = Walk(state, known, first=newest is None and "made" not in state)
        if newest is None:
            state["made"] = True  # its tables; a log may stay empty for long
        again = aside.again
        yield from aside.pages() if again else fetch(contract.table, span.since, span.until)
        if twice and not window and newest is not None:
            state["before"] = newest
        intake.logs.discard(contract.table)

    def rows(page: Page) -> Iterator[Any]:
        assert walk is not None  # noqa: S101 - pages() has run: it gave us the page
        page, extended = reshape(page, contract)
        sifted = sift(page, extended)
        yield from _set_aside(aside, page, sifted, sifted.breaches)
        own = sifted.tables[contract.table]
        if window is None and (newest := pc.max(own[cursor]).as_py()) is not None:
            walk.saw(newest)
        oldest = pc.min(own[cursor]).as_py()
        walk.heed(span.since, oldest, lambda: current_ids(contract, cursor, None, None))
        tables = _only(walk.fresh(own["_dlt_id"].combine_chunks()), sifted)
        # a table must exist after the first load even if the API had no rows for it
        for part in (sifted.contract, *sifted.contract.nested()):
            if tables[part.table].num_rows or walk.first:
                yield _marked(part, tables[part.table], page if part is sifted.contract else None)

    # fetched beside the decoding; the snapshots are small, and wait in the main thread
    fetched = dlt.resource(pages, name=f"{contract.table}_pages", selected=False, parallelized=True)
    return dlt.transformer(
        rows,
        data_from=fetched,
        name=contract.table,
        write_disposition="append",
        parallelized=True,
        selected=True,
    )


def _value(kept: Any, contract: Contract, cursor: str) -> Any:
    """The cursor's value as the state keeps it, in its own type."""
    (column,) = (each for each in contract.columns if each.name == cursor)
    if kept is None or column.type == "whole":
        return kept
    return (date if column.type == "date" else datetime).fromisoformat(kept)


def snapshot_resource(
    contract: Contract,
    fetch: Fetch,
    intake: Intake,
    selected: bool = True,
    reshape: Reshape = as_sent,
) -> DltResource:
    """A full snapshot on each load; dlt's scd2 keeps every version of a row with its validity.

    A snapshot without rows is believed only on the first load, or where the intake allows it. Of a
    row that was set aside the current version stays as it is. Lists nested in the rows have
    versions too, as long as the row they stand in.
    """
    aside = intake.aside(contract)

    def rows() -> Iterator[Any]:
        while not intake.snapshots_may_start():
            yield None  # dlt goes on with other resources
        seen: dict[str, str] = {}  # the key of a row -> the hash of its content
        sent: set[str] = set()  # the tables that rows have come for
        any_rows = False
        for page in aside.pages() if aside.again else fetch(contract.table):
            any_rows = any_rows or bool(page.rows)
            page, extended = reshape(page, contract)  # noqa: PLW2901 - the other one is of no use
            sifted = sift(page, extended)
            fresh, conflicts = _first_of_each_key(page, sifted, seen)
            yield from _set_aside(aside, page, sifted, [*sifted.breaches, *conflicts])
            for part, table in _filled(sifted, _only(fresh, sifted)):
                sent.add(part.table)
                yield _marked(part, table, page if part is sifted.contract else None)
        if not any_rows and contract.table not in intake.allow_empty:
            _refuse_empty(contract, aside)
        yield from _stay(contract, aside, seen, sent)

    disposition: Any = {
        "disposition": "merge",
        "strategy": "scd2",
        "row_version_column_name": "_dlt_id",
    }
    return dlt.resource(rows, name=contract.table, write_disposition=disposition, selected=selected)


def _filled(sifted: Sifted, tables: dict[str, pa.Table]) -> Iterator[tuple[Contract, pa.Table]]:
    for part in (sifted.contract, *sifted.contract.nested()):
        if tables[part.table].num_rows:
            yield part, tables[part.table]


def _refuse_empty(contract: Contract, aside: Aside) -> None:
    current = count_current(contract)
    if current:
        empty = f"{contract.table}: the API sent an empty list, but {current:,} rows are current"
        aside.refuse(
            empty,
            f"{empty}. Nothing was changed. If they are really gone, say so with "
            f"`.venv/bin/ecluse ingest --allow-empty {contract.table}`.",
        )


def _stay(contract: Contract, aside: Aside, seen: dict[str, str], sent: set[str]) -> Iterator[Any]:
    """What a snapshot must hold beside the rows that came, not to retire what is still valid."""
    again = Page(contract.table, 0, QUARANTINE, [])  # what raw holds already: of no page
    empty = decode(again, contract)
    # whoever is not in a snapshot is gone: not so who is in the quarantine
    every = bool(aside.again or aside.nameless)  # any of them, for all that we know
    if every or aside.keys:
        kept = current_rows(contract, None if every else list(aside.keys), list(seen))
        empty |= {contract.table: kept} | current_nested(contract, kept["_dlt_id"])
    for part in (contract, *contract.nested()):
        # an empty one creates the table, or retires all its rows
        if empty[part.table].num_rows or part.table not in sent:
            yield _marked(part, empty[part.table], again if part is contract else None)


def _set_aside(aside: Aside, page: Page, sifted: Sifted, breaches: list[Breach]) -> Iterator[Any]:
    """Show a page to the quarantine; what is new to it goes to raw."""
    aside.added(sifted)
    rejected = aside.take(page, breaches) if breaches else None
    aside.meet(sifted.tables[aside.contract.table])
    if rejected:
        yield marked(aside.contract, rejected)


def _first_of_each_key(
    page: Page, sifted: Sifted, seen: dict[str, str]
) -> tuple[pa.Array, list[Breach]]:
    """Which rows have a new key, and what is to be said of others that differ from theirs."""
    contract = sifted.contract
    table = sifted.tables[contract.table]
    broken = {breach.row for breach in sifted.breaches}
    numbers = [row for row in range(1, len(page.rows) + 1) if row not in broken]
    fresh, conflicts = [], []
    keys, ids = keys_of(table, contract).to_pylist(), table["_dlt_id"].to_pylist()
    for row, key, content in zip(numbers, keys, ids, strict=True):
        before = seen.setdefault(key, content)
        fresh.append(before is content)
        if before is not content and before != content:
            rule = "its key stands on an earlier row that differs"
            shown = key.replace("\x1f", ", ")
            conflicts.append(Breach(row, f"key {', '.join(contract.key)}", rule, shown))
    return pa.array(fresh, pa.bool_()), conflicts


def _only(wanted: pa.Array | None, sifted: Sifted) -> dict[str, pa.Table]:
    """The wanted rows (None is all), and what is nested in them."""
    if wanted is None:
        return sifted.tables
    own = sifted.tables[sifted.contract.table].filter(wanted)
    kept = {sifted.contract.table: own}
    for child in sifted.contract.nested():
        table = sifted.tables[child.table]
        first = first_of_each(table["_dlt_id"].combine_chunks())
        roots = pc.utf8_slice_codeunits(table["_dlt_id"].combine_chunks(), 0, ROOT_LENGTH)
        mine = pc.is_in(roots, value_set=own["_dlt_id"].combine_chunks())
        kept[child.table] = table.filter(pc.and_(first, mine))
    return kept


def _marked(contract: Contract, table: pa.Table, page: Page | None = None) -> Any:
    """A table on its way to raw; rows of an endpoint, not nested ones, say which page they were on.

    A number for each row is all it takes: with the row's load id it leads to the request.
    """
    # hints travel with the rows: those of the resource would be given to its child table too
    columns: Any = [
        *contract.hints(),
        {"name": "_dlt_id", "data_type": "text", "nullable": False},
    ]
    if page:
        number = pa.scalar(None if page.url == QUARANTINE else page.number, pa.int32())
        table = table.append_column(PAGE, pa.repeat(number, table.num_rows))
        columns.append({"name": PAGE, "data_type": "bigint", "precision": 32, "nullable": True})
    hints = dlt.mark.make_hints(table_name=contract.table, columns=columns)
    return dlt.mark.with_hints(table, hints, create_table_variant=True)
