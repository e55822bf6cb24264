"""What raw already holds: asked before rows are appended or a snapshot is believed."""

from collections.abc import Collection
from datetime import date, timedelta

import dlt
import pyarrow as pa
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from ingestion.contract import Contract

# The names come from our own contracts, never from data; values are bound.
CURRENT_IDS = """
select distinct on ({key}) _dlt_id from {table}
where {cursor} >= %s and {cursor} < %s
  and _dlt_load_id in (select load_id from _dlt_loads where status = 0)
order by {key}, _dlt_load_id desc, _dlt_id
"""
COUNT_CURRENT = """
select count(*) from {table} where _dlt_valid_to is null
  and _dlt_load_id in (select load_id from _dlt_loads where status = 0)
"""
CURRENT_ROWS = """
select {columns}, _dlt_id from {table} where _dlt_valid_to is null
  and _dlt_load_id in (select load_id from _dlt_loads where status = 0)
  and (%s or concat_ws(chr(31), {key}) = any(%s))
  and concat_ws(chr(31), {key}) not in (select unnest(%s::text[]))
"""


def current_ids(
    contract: Contract, cursor: str, since: date | None, until: date | None
) -> pa.Array:
    """The content hashes of the current rows whose `cursor` lies in these days (both included).

    A log whose row went from A to B and back to A must get A once more, so only the current
    version of each key counts as known.
    """
    sql = CURRENT_IDS.format(table=contract.table, cursor=cursor, key=", ".join(contract.key))
    end = until + timedelta(days=1) if until else date.max
    return pa.array([row[0] for row in _query(sql, since or date.min, end)], pa.string())


def count_current(contract: Contract) -> int:
    """How many rows of a snapshot table are valid now."""
    rows = _query(COUNT_CURRENT.format(table=contract.table))
    return rows[0][0] if rows else 0


def current_rows(
    contract: Contract, keys: Collection[str] | None, but: Collection[str]
) -> pa.Table:
    """The valid rows of a snapshot table that have one of these keys (or any), but not those."""
    names = [column.name for column in contract.columns]
    sql = CURRENT_ROWS.format(
        columns=", ".join(names), table=contract.table, key=", ".join(contract.key)
    )
    rows = _query(sql, keys is None, list(keys or ()), list(but))
    types = [(column.name, column.arrow_type()) for column in contract.columns]
    schema = pa.schema([*types, ("_dlt_id", pa.string())])
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema)


def _query(sql: str, *values: object) -> list[tuple]:
    try:
        with dlt.current.pipeline().sql_client() as client:
            return [tuple(row) for row in client.execute_sql(sql, *values) or []]
    except DatabaseUndefinedRelation:
        return []  # the first load: there is no such table yet
