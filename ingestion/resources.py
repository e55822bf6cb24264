"""The two kinds of resource that raw knows: a log read by cursor, and a snapshot with history.

Both fetch pages in one generator and decode them in dlt's worker threads. Rows become visible
only when dlt marks the whole load as complete.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.sources import DltResource

from ingestion.check import Breach
from ingestion.contract import Contract
from ingestion.decode import decode
from ingestion.keys import keys_of
from ingestion.known_rows import count_current, current_ids, current_rows
from ingestion.pages import PAGE, Page
from ingestion.quarantine import QUARANTINE, Aside, Quarantine, marked
from ingestion.sift import Sifted, sift

Fetch = Callable[..., Iterator[Page]]
NEIGHBOURS = 4  # pages; as many as are decoded at the same time


@dataclass(frozen=True)
class Window:
    """Whole days to load again, both included; either end may be open."""

    since: date | None = None
    until: date | None = None


@dataclass
class Turn:
    """Snapshots are read after the logs: whoever an order names must be in the snapshot.

    Read the other way round, a customer who comes while the orders are being fetched would be in
    an order but not among the customers, and a test would rightly fail.
    """

    logs: set[str] = field(default_factory=set)  # those still being read

    def of_snapshots(self) -> bool:
        """Whether all logs have been read."""
        return not self.logs


@dataclass
class _Walk:
    """One walk along the cursor; pages are decoded in several threads at once."""

    state: dict[str, Any]
    known: pa.Array
    first: bool
    lock: threading.Lock = field(default_factory=threading.Lock)
    recent: deque[set[str]] = field(default_factory=lambda: deque(maxlen=NEIGHBOURS))

    def fresh(self, ids: pa.Array) -> pa.Array | None:
        """Which rows are neither in raw nor on this page or a neighbouring one already.

        None stands for all of them. An order that comes while we page pushes another one from a
        page down to the next.
        """
        own = set(ids.to_pylist())
        with self.lock:
            before = list(self.recent)
            self.recent.append(own)
        doubled = len(own) < len(ids) or not all(map(own.isdisjoint, before))
        if not doubled and not len(self.known):
            return None
        mask = pc.invert(pc.is_in(ids, value_set=self.known))
        return pc.and_(mask, _first_of_each(ids, before)) if doubled else mask

    def saw(self, moment: datetime) -> None:
        """Move the cursor on to `moment`, never back."""
        newest = moment.isoformat()
        with self.lock:
            self.state["newest"] = max(self.state.get("newest", newest), newest)


def cursor_resource(
    contract: Contract,
    cursor: str,
    fetch: Fetch,
    turn: Turn,
    quarantine: Quarantine,
    lookback_days: int,
    window: Window | None = None,
) -> DltResource:
    """An append-only log. A row comes in again only when its content changed.

    The cursor is the newest `cursor` value seen, kept in dlt's state, which is committed with the
    load and so never runs ahead of it.
    """
    walk: _Walk | None = None
    aside = quarantine.aside(contract)
    if aside.again:
        window = Window()  # of all days

    def pages() -> Iterator[Page]:
        nonlocal walk
        state = dlt.current.resource_state(contract.table)
        newest = datetime.fromisoformat(state["newest"]) if "newest" in state else None
        # a window starts where it is told; without one, the cursor and the look-back decide
        start = newest.date() - timedelta(days=lookback_days) if newest else None
        span = window or Window(since=start)
        known = current_ids(contract, cursor, span.since, span.until)
        walk = _Walk(state, known, first=newest is None)
        again = aside.again
        yield from aside.pages() if again else fetch(contract.table, span.since, span.until)
        turn.logs.discard(contract.table)

    def rows(page: Page) -> Iterator[Any]:
        assert walk is not None  # noqa: S101 - pages() has run: it gave us the page
        sifted = sift(page, contract)
        yield from _set_aside(aside, page, sifted, sifted.breaches)
        tables = dict(sifted.tables)
        own = tables.pop(contract.table)
        if window is None and own.num_rows:
            walk.saw(pc.max(own[cursor]).as_py())
        fresh = walk.fresh(own["_dlt_id"].combine_chunks())
        if fresh is not None:
            own, tables = _only(fresh, own, tables)
        # a table must exist after the first load even if the API had no rows for it
        children = sifted.contract.children
        if own.num_rows or walk.first:
            yield _marked(sifted.contract, own, page)
        for _, child in children:
            if tables[child.table].num_rows or walk.first:
                yield _marked(child, tables[child.table])

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


def snapshot_resource(
    contract: Contract,
    fetch: Fetch,
    turn: Turn,
    quarantine: Quarantine,
    allow_empty: bool = False,
    selected: bool = True,
) -> DltResource:
    """A full snapshot on each load; dlt's scd2 keeps every version of a row with its validity.

    A snapshot without rows is believed only on the first load or with `allow_empty`. Of a row that
    was set aside the current version stays as it is.
    """
    aside = quarantine.aside(contract)

    def rows() -> Iterator[Any]:
        while not turn.of_snapshots():
            yield None  # dlt goes on with other resources
        seen: dict[str, str] = {}  # the key of a row -> the hash of its content
        any_rows = False
        for page in aside.pages() if aside.again else fetch(contract.table):
            any_rows = any_rows or bool(page.rows)
            sifted = sift(page, contract)
            table, conflicts = _first_of_each_key(page, sifted, seen)
            yield from _set_aside(aside, page, sifted, [*sifted.breaches, *conflicts])
            if table.num_rows:
                yield _marked(sifted.contract, table, page)
        current = 0 if any_rows or allow_empty else count_current(contract)
        if current:
            empty = (
                f"{contract.table}: the API sent an empty list, but {current:,} rows are current"
            )
            aside.refuse(
                empty,
                f"{empty}. Nothing was changed. If they are really gone, say so with "
                f"`.venv/bin/ecluse ingest --allow-empty {contract.table}`.",
            )
        again = Page(contract.table, 0, QUARANTINE, [])  # what raw holds already: of no page
        # whoever is not in a snapshot is gone: not so who is in the quarantine
        if aside.again or aside.nameless:  # any of them, for all that we know
            yield _marked(contract, current_rows(contract, None, list(seen)), again)
        elif aside.keys:
            yield _marked(contract, current_rows(contract, list(aside.keys), list(seen)), again)
        elif not seen:  # creates the table, or retires all its rows
            yield _marked(contract, decode(again, contract)[contract.table], again)

    disposition: Any = {
        "disposition": "merge",
        "strategy": "scd2",
        "row_version_column_name": "_dlt_id",
    }
    return dlt.resource(rows, name=contract.table, write_disposition=disposition, selected=selected)


def _set_aside(aside: Aside, page: Page, sifted: Sifted, breaches: list[Breach]) -> Iterator[Any]:
    """Show a page to the quarantine; what is new to it goes to raw."""
    aside.added(sifted)
    rejected = aside.take(page, breaches) if breaches else None
    aside.meet(sifted.tables[aside.contract.table])
    if rejected:
        yield marked(aside.contract, rejected)


def _first_of_each_key(
    page: Page, sifted: Sifted, seen: dict[str, str]
) -> tuple[pa.Table, list[Breach]]:
    """The rows whose keys are new, and what is to be said of others that differ from theirs."""
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
    return table.filter(pa.array(fresh, pa.bool_())), conflicts


def _only(
    wanted: pa.Array, own: pa.Table, nested: dict[str, pa.Table]
) -> tuple[pa.Table, dict[str, pa.Table]]:
    """The wanted rows, and what is nested in them."""
    own = own.filter(wanted)
    parents = own["_dlt_id"].combine_chunks()
    kept = {}
    for name, table in nested.items():
        first = _first_of_each(table["_dlt_id"].combine_chunks())
        mine = pc.is_in(table["_dlt_parent_id"].combine_chunks(), value_set=parents)
        kept[name] = table.filter(pc.and_(first, mine))
    return own, kept


def _first_of_each(ids: pa.Array, before: Sequence[set[str]] = ()) -> pa.Array:
    """Where an id stands for the first time, in `before` or here."""
    earlier = pa.array(set().union(*before), pa.string())
    found = pc.index_in(ids, value_set=pa.concat_arrays([earlier, ids]))
    start = len(earlier)
    return pc.equal(found, pa.array(range(start, start + len(ids)), pa.int32()))


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
