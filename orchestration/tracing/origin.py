"""Where rows of raw came from: the load and its run, the request, the JSON, the other versions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from ingestion.contract import Contract
from ingestion.keys import key_of_stored
from ingestion.payload import rebuild
from ingestion.registry import SOURCES, contracts_of
from ingestion.stored import MASK, came_back, hide_secrets
from orchestration.ops import rows_of

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Row = dict[str, Any]
LOAD_ID, ROW_ID, PAGE, PARENT = "_dlt_load_id", "_dlt_id", "_page", "_dlt_parent_id"
LOADS = """
select l.load_id, n.rows, l.inserted_at, o.run_id, t.endpoint, t.query, t.pages
from (select _dlt_load_id, count(*) as rows from {rows} group by 1) as n
join {loads} as l on l.load_id = n._dlt_load_id and l.status = 0
left join ops.loads as o on o.dataset = {schema} and l.load_id = any (o.load_ids)
left join ops.load_tables as t
    on t.run_id = o.run_id and t.source = o.source and t.table_name = {name}
order by l.load_id
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
    completed_at: datetime
    run_id: str | None
    endpoint: str | None
    query: str | None  # of the first page
    pages: int | None


@dataclass(frozen=True)
class RowVersion:
    """One of the rows that raw has of a key. `differs`: column to value, where it is another."""

    load_id: str
    row_id: str
    page: int | None
    valid_to: datetime | None  # of a snapshot: since when a load no longer found it
    used: bool
    differs: Row


@dataclass(frozen=True)
class Came:
    """How a row of raw came; of one that is nested in another row, only with which load."""

    load_id: str
    page: int | None
    payload: str | None = None
    proven: bool = False  # whether the row's hash says that these are the values that came
    versions: tuple[RowVersion, ...] = ()
    set_aside: Row | None = None  # the quarantine it came back from


@dataclass(frozen=True)
class Origin:
    """Where the rows of one table of raw came from. `compacted`: what history is gone."""

    loads: tuple[Load, ...]
    rows: tuple[Came, ...]
    compacted: Row | None = None


def masked(row: Mapping[str, Any], hidden: Collection[str]) -> Row:
    """The row with *** for what is hidden."""
    return {name: MASK if name in hidden and value is not None else value
            for name, value in row.items()}  # fmt: skip


def origin(
    cursor: "cursor", relation: str, traced: str, rows: Sequence[Row],
    hidden: Collection[str], clear: bool,
) -> Origin | None:  # fmt: skip
    """Where `rows` of a table came from, the first of those in `traced`; None if not by dlt.

    The values of `hidden` columns are not shown, and of the JSON nothing personal unless `clear`.
    """
    schema, _, table = relation.partition(".")
    source = schema.removeprefix("raw_")
    if schema == source or not rows or LOAD_ID not in rows[0]:
        return None
    names = {"rows": sql.Identifier(traced), "loads": sql.Identifier(schema, "_dlt_loads"),
             "schema": sql.Literal(schema), "name": sql.Literal(table)}  # fmt: skip
    cursor.execute(sql.SQL(LOADS).format(**names))
    loads = tuple(Load(*load) for load in cursor.fetchall())
    contracts = {each.table: each for each in contracts_of(source)} if source in SOURCES else {}
    if table not in contracts or PARENT in rows[0]:
        return Origin(loads, tuple(Came(row[LOAD_ID], row.get(PAGE)) for row in rows))
    cursor.execute(COMPACTED, (source,))
    gone = cursor.fetchone()
    compacted = dict(zip(("run_id", "at", "before_load"), gone, strict=True)) if gone else None
    told = (_came(cursor, source, contracts[table], row, hidden, clear) for row in rows)
    return Origin(loads, tuple(told), compacted)


def _came(
    cursor: "cursor", source: str, contract: Contract, row: Row,
    hidden: Collection[str], clear: bool,
) -> Came:  # fmt: skip
    payload = rebuild(cursor, f"raw_{source}", contract, row)
    text = payload.json if clear else hide_secrets(payload.json, contract)
    aside, page = None, row.get(PAGE)
    if page is None:
        aside = came_back(cursor, source, contract, key_of_stored(row, contract), clear)
    versions = tuple(
        RowVersion(
            other[LOAD_ID], other[ROW_ID], other.get(PAGE), other.get("_dlt_valid_to"),
            (other[LOAD_ID], other[ROW_ID]) == (row[LOAD_ID], row[ROW_ID]),
            masked({name: value for name, value in other.items()
                    if not name.startswith("_") and value != row.get(name)}, hidden),
        )
        for other in _versions(cursor, f"raw_{source}", contract, row)
    )  # fmt: skip
    return Came(row[LOAD_ID], page, text, payload.proven, versions, aside)


def _versions(cursor: "cursor", schema: str, contract: Contract, row: Row) -> list[Row]:
    key = sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(row[name]))
        for name in contract.identity()
    )
    names = {"table": sql.Identifier(schema, contract.table), "key": key,
             "loads": sql.Identifier(schema, "_dlt_loads")}  # fmt: skip
    cursor.execute(sql.SQL(VERSIONS).format(**names))
    return rows_of(cursor)
