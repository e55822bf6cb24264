"""What raw already holds: asked before rows are appended or a snapshot is believed."""

from collections.abc import Collection
from datetime import date, timedelta

import dlt
import pyarrow as pa
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from ingestion.contract import Contract
from ingestion.decode import ROOT_LENGTH

# The names come from our own contracts, never from data; values are bound.
CURRENT_IDS = """
select distinct on ({key}) _dlt_id from {table}
where ({cursor} is null or {span})
  and _dlt_load_id in (select load_id from _dlt_loads where status = 0)
order by {key}, _dlt_load_id desc, {newest}_dlt_id
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
CURRENT_NESTED = """
select {columns}, _dlt_parent_id, _dlt_list_idx, _dlt_id from {table}
where _dlt_valid_to is null
  and _dlt_load_id in (select load_id from _dlt_loads where status = 0)
  and left(_dlt_id, %s) = any(%s)
"""
NESTED = {"_dlt_parent_id": pa.string(), "_dlt_list_idx": pa.int64(), "_dlt_id": pa.string()}


def current_ids(contract: Contract, cursor: str, since: object, until: date | None) -> pa.Array:
    """The content hashes of the current rows whose `cursor` lies in this span.

    A log whose row went from A to B and back to A must get A once more, so only the current
    version of each key counts as known.

    Args:
        contract: of the log.
        cursor: the column.
        since: the first value of the span; None for all.
        until: its last day, which is in it; None for all.
    """
    bounds = [("{cursor} >= %s", since)] if since is not None else []
    if until:
        bounds.append(("{cursor} < %s", until + timedelta(days=1)))
    span = " and ".join(bound for bound, _ in bounds).format(cursor=_quoted(cursor))
    sql = CURRENT_IDS.format(
        table=contract.table,
        cursor=_quoted(cursor),
        span=span or "true",
        newest=f"{_quoted(contract.newest)} desc, " if contract.newest else "",
        key=_quoted(*contract.identity()),
    )
    return pa.array([row[0] for row in _query(sql, *(value for _, value in bounds))], pa.string())


def count_current(contract: Contract) -> int:
    """How many rows of a snapshot table are valid now."""
    rows = _query(COUNT_CURRENT.format(table=contract.table))
    return rows[0][0] if rows else 0


def current_rows(
    contract: Contract, keys: Collection[str] | None, but: Collection[str]
) -> pa.Table:
    """The valid rows of a snapshot table that have one of these keys (or any), but not those."""
    names = {"columns": _quoted(*(column.name for column in contract.columns))}
    names |= {"table": contract.table, "key": _as_texts(contract)}
    rows = _query(CURRENT_ROWS.format(**names), keys is None, list(keys or ()), list(but))
    return _table(rows, contract, {"_dlt_id": pa.string()})


def current_nested(contract: Contract, roots: pa.ChunkedArray) -> dict[str, pa.Table]:
    """What is nested in these rows of a snapshot table that are valid now, by table."""
    found = {}
    for child in contract.nested():
        names = _quoted(*(column.name for column in child.columns))
        sql = CURRENT_NESTED.format(columns=names, table=child.table)
        rows = _query(sql, ROOT_LENGTH, roots.to_pylist())
        found[child.table] = _table(rows, child, NESTED)
    return found


def _table(rows: list[tuple], contract: Contract, own: dict[str, pa.DataType]) -> pa.Table:
    types = {column.name: column.arrow_type() for column in contract.columns} | own
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays = [pa.array(c, t) for c, t in zip(columns, types.values(), strict=True)]
    return pa.table(arrays, list(types))


def _quoted(*names: str) -> str:
    """A column may be called what SQL has a word for, such as "order"."""
    return ", ".join(f'"{name}"' for name in names)


def _as_texts(contract: Contract) -> str:
    """The key's columns as `keys_of` writes them."""
    types = {column.name: column.type for column in contract.columns}
    moment = "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')"
    written = (moment if types.get(name) == "timestamp" else "{}::text"
               for name in contract.identity())  # fmt: skip
    return ", ".join(
        how.format(_quoted(name)) for how, name in zip(written, contract.identity(), strict=True)
    )


def _query(sql: str, *values: object) -> list[tuple]:
    try:
        with dlt.current.pipeline().sql_client() as client:
            return [tuple(row) for row in client.execute_sql(sql, *values) or []]
    except DatabaseUndefinedRelation:
        return []  # the first load: there is no such table yet
