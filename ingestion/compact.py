"""Remove raw history that no state from a given load on is made of.

Whoever reads raw as of that load, the cut-off, or as of a later one finds the same rows before and
after; earlier states are lost. From a snapshot (scd2) go the rows that a load up to the cut-off
retired, from a log the versions that one superseded. The rows of `_dlt_loads` stay, for they say
which loads were whole, and so does what an unfinished load left: that is for `heal` to judge.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import sql

from ingestion.heal import RETIRED_BY_WHOLE
from ingestion.registry import contracts_of

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

STATEMENTS = Path(__file__).with_suffix(".sql").read_text().split(";\n")
CUT_OFF, TABLES, SUPERSEDED, COUNT, _ = map(sql.SQL, STATEMENTS)


@dataclass(frozen=True)
class CutOff:
    """A completed load, and when it was complete."""

    load_id: str
    at: datetime


@dataclass(frozen=True)
class History:
    """What of a source's raw is outdated: rows that would go and rows that would stay, by table."""

    source: str
    cut_off: CutOff | None  # None: no load is that old, and nothing goes
    tables: dict[str, tuple[int, int]]
    left_alone: tuple[str, ...]


def find_cut_off(
    cursor: "cursor", source: str, before: datetime, oldest_needed: str | None
) -> CutOff | None:
    """The newest completed load before a moment, and not after the load `oldest_needed`."""
    cursor.execute("select to_regclass(%s)", (f"raw_{source}._dlt_loads",))
    if cursor.fetchone() == (None,):
        return None
    loads = sql.Identifier(f"raw_{source}", "_dlt_loads")
    cursor.execute(CUT_OFF.format(loads=loads), (before, oldest_needed))
    row = cursor.fetchone()
    return CutOff(*row) if row else None


def survey(
    cursor: "cursor", source: str, cut_off: CutOff | None, needed: Collection[str]
) -> History:
    """Count what `remove` would remove; the history of the tables `needed` is read by somebody."""
    counts: dict[str, tuple[int, int]] = {}
    left_alone: list[str] = []
    for family in _outdated(cursor, source, cut_off):
        if not family.keys().isdisjoint(needed):
            left_alone += family
            continue
        for table, outdated in family.items():
            name = sql.Identifier(f"raw_{source}", table)
            cursor.execute(COUNT.format(table=name, outdated=outdated))
            gone, rows = cursor.fetchone() or (0, 0)
            counts[table] = (gone, rows - gone)
    return History(source, cut_off, counts, tuple(left_alone))


def remove(cursor: "cursor", history: History) -> dict[str, int]:
    """Remove what `survey` has counted, in the caller's transaction; returns rows by table."""
    removed = {}
    for family in _outdated(cursor, history.source, history.cut_off):
        for table, outdated in family.items():
            if table in history.tables:
                name = sql.Identifier(f"raw_{history.source}", table)
                cursor.execute(sql.SQL("delete from {} where {}").format(name, outdated))
                removed[table] = cursor.rowcount
    return removed


def _outdated(
    cursor: "cursor", source: str, cut_off: CutOff | None
) -> Iterator[dict[str, sql.Composable]]:
    """What is outdated, by table: a log in one dict with its nested tables, which come first, for
    they are told by it.
    """
    schema, contracts = f"raw_{source}", contracts_of(source)
    cursor.execute(TABLES, (schema,))
    versioned: dict[str, bool] = dict(cursor.fetchall()) if cut_off else {}
    nested = {child.table for contract in contracts for child in contract.nested()}
    for contract in contracts:
        own = contract.table
        if own in nested or own not in versioned or cut_off is None:
            continue
        children = [child.table for child in contract.nested() if child.table in versioned]
        id_ = "_dlt_id" if versioned[own] else "split_part(_dlt_parent_id, '-', 1)"
        ids = dict.fromkeys(children, id_) | {own: "_dlt_id"}
        moment = sql.SQL("{} desc nulls last, ").format(sql.Identifier(contract.newest or ""))
        parts = {
            "key": sql.SQL(", ").join(map(sql.Identifier, contract.identity())),
            "moment": moment if contract.newest else sql.SQL(""),
            "log": sql.Identifier(schema, own),
            "loads": sql.Identifier(schema, "_dlt_loads"),
            "newest": sql.Literal(cut_off.load_id),
        }
        template = sql.SQL(RETIRED_BY_WHOLE) if versioned[own] else SUPERSEDED
        yield {table: template.format(id=sql.SQL(id_), **parts)
               for table, id_ in ids.items()}  # fmt: skip
