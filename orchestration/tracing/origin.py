"""Where rows of raw came from: the load and its run, the request, the JSON, the other versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ingestion.contract import Contract
from ingestion.payload import rebuild
from ingestion.registry import SOURCES, contracts_of
from ingestion.stored import came_back, hide_secrets

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.tracing.walk import Found, Row

LOAD_ID, ROW_ID, PAGE = "_dlt_load_id", "_dlt_id", "_page"
LOADS = """
select l.load_id, l.inserted_at, r.run_id, r.started_at, t.endpoint, t.query, t.pages
from {loads} as l
left join ops.loads as o on o.dataset = %s and l.load_id = any (o.load_ids)
left join ops.runs as r on r.run_id = o.run_id
left join ops.load_tables as t
    on t.run_id = o.run_id and t.source = o.source and t.table_name = %s
where l.status = 0 and l.load_id = any (%s) order by l.load_id
"""
VERSIONS = """
select * from {table} where {key} and _dlt_load_id in (select load_id from {loads} where status = 0)
order by _dlt_load_id, _dlt_id
"""
COMPACTED = """
select run_id, compacted_at, before_load from ops.compactions
where source = %s order by before_load desc limit 1
"""


@dataclass(frozen=True)
class Load:
    """A load, and what is known of the run that made it; `rows` of those that are traced."""

    load_id: str
    rows: int
    completed_at: datetime | None
    run_id: str | None
    run_started_at: datetime | None
    endpoint: str | None
    query: str | None
    pages: int | None


@dataclass(frozen=True)
class RowVersion:
    """One of the rows that raw has of a key. `differs`: column to value, where it is another."""

    load_id: str
    row_id: str
    page: int | None
    valid_to: datetime | None  # of a snapshot: since when a load no longer found it
    used: bool
    differs: dict[str, Any]


@dataclass(frozen=True)
class RawRow:
    """A row of raw; `payload` is None for a nested one, which came in that of its parent."""

    row: "Row"
    load_id: str
    page: int | None
    payload: str | None
    proven: bool
    versions: tuple[RowVersion, ...]
    set_aside: dict[str, Any] | None  # the quarantine it came back from


@dataclass(frozen=True)
class Origin:
    """Where the rows of one table of raw came from. `compacted`: what history is gone."""

    loads: tuple[Load, ...]
    rows: tuple[RawRow, ...]
    compacted: dict[str, Any] | None


def contract_of(relation: str) -> tuple[str, Contract] | None:
    """Source and contract of a table of raw, nested ones too."""
    schema, _, table = relation.partition(".")
    source = schema.removeprefix("raw_")
    if schema == source or source not in SOURCES:
        return None
    each = {contract.table: contract for contract in contracts_of(source)}
    return (source, each[table]) if table in each else None


def origin(cursor: "cursor", found: "Found", clear: bool) -> Origin | None:
    """Where these rows came from; None where dlt has not brought them.

    Args:
        cursor: in the transaction of the walk.
        found: rows of one table.
        clear: whether personal data may be shown.
    """
    from psycopg2 import sql

    schema, _, table = found.relation.partition(".")
    loads = sql.Identifier(schema, "_dlt_loads")
    cursor.execute("select to_regclass(%s)", (loads.as_string(cursor),))
    if cursor.fetchone() == (None,) or not found.rows or LOAD_ID not in found.rows[0]:
        return None
    cursor.execute(
        sql.SQL("select {0}, count(*) from {1} group by 1").format(
            sql.Identifier(LOAD_ID), sql.Identifier(found.table)
        )
    )
    counts = dict(cursor.fetchall())
    cursor.execute(sql.SQL(LOADS).format(loads=loads), (schema, table, list(counts)))
    told = tuple(Load(load_id, counts[load_id], *rest) for load_id, *rest in cursor.fetchall())
    known = contract_of(found.relation)
    if known is None:
        rows = tuple(RawRow(row, row[LOAD_ID], row.get(PAGE), None, False, (), None)
                     for row in found.rows)  # fmt: skip
        return Origin(told, rows, None)
    source, contract = known
    rows = tuple(_raw_row(cursor, source, contract, row, clear) for row in found.rows)
    cursor.execute(COMPACTED, (source,))
    gone = cursor.fetchone()
    names = ("run_id", "at", "before_load")  # of a compaction
    return Origin(told, rows, dict(zip(names, gone, strict=True)) if gone else None)


def _raw_row(cursor: "cursor", source: str, contract: Contract, row: "Row", clear: bool) -> RawRow:
    if "_dlt_parent_id" in row:
        return RawRow(row, row[LOAD_ID], None, None, False, (), None)
    payload = rebuild(cursor, f"raw_{source}", contract, row)
    text = payload.json if clear else hide_secrets(payload.json, contract)
    aside = None
    if row.get(PAGE) is None:
        key = "\x1f".join(str(row[name]) for name in contract.key)
        aside = came_back(cursor, source, contract, key, clear)
    versions = _versions(cursor, source, contract, row, clear)
    return RawRow(row, row[LOAD_ID], row.get(PAGE), text, payload.proven, versions, aside)


def _versions(
    cursor: "cursor", source: str, contract: Contract, row: "Row", clear: bool
) -> tuple[RowVersion, ...]:
    from psycopg2 import sql

    key = sql.SQL(" and ").join(
        sql.SQL("{} = %s").format(sql.Identifier(name)) for name in contract.key
    )
    statement = sql.SQL(VERSIONS).format(
        table=sql.Identifier(f"raw_{source}", contract.table), key=key,
        loads=sql.Identifier(f"raw_{source}", "_dlt_loads"),
    )  # fmt: skip
    cursor.execute(statement, [row[name] for name in contract.key])
    names = [column.name for column in cursor.description or ()]
    hidden = set() if clear else {column.name for column in contract.columns if column.pii}
    return tuple(_version(dict(zip(names, values, strict=True)), row, hidden)
                 for values in cursor.fetchall())  # fmt: skip


def _version(other: Mapping[str, Any], used: "Row", hidden: set[str]) -> RowVersion:
    differs = {
        name: "***" if name in hidden and value is not None else value
        for name, value in other.items()
        if not name.startswith("_") and value != used.get(name)
    }
    same = (other[LOAD_ID], other[ROW_ID]) == (used[LOAD_ID], used[ROW_ID])
    return RowVersion(
        other[LOAD_ID], other[ROW_ID], other.get(PAGE), other.get("_dlt_valid_to"), same, differs
    )
