"""What raw holds, and what the API said: in the same words, to be compared."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import requests

from ingestion.contract import Column, Contract
from ingestion.sources.jaffle_shop.contract import ITEMS_OF_ORDERS, ORDERS, SNAPSHOTS
from orchestration.warehouse import Warehouse
from tests.databases import query

TABLES = ("orders", "orders__items", *(contract.table for contract in SNAPSHOTS))
Rows = set[tuple]

WHOLE = "(select load_id from raw_jaffle_shop._dlt_loads where status = 0)"
NOW = {
    "orders": f"""
        select distinct on (id) {{columns}} from raw_jaffle_shop.orders
        where _dlt_load_id in {WHOLE} order by id, _dlt_load_id desc, _dlt_id""",
    "orders__items": f"""
        select {{columns}} from raw_jaffle_shop.orders__items as items
        where (_dlt_load_id, _dlt_parent_id) in (
            select distinct on (id) _dlt_load_id, _dlt_id from raw_jaffle_shop.orders
            where _dlt_load_id in {WHOLE} order by id, _dlt_load_id desc, _dlt_id
        )""",
}
SNAPSHOT_NOW = f"""
    select {{columns}} from raw_jaffle_shop.{{table}}
    where _dlt_valid_to is null and _dlt_load_id in {WHOLE}"""


def current(warehouse: Warehouse) -> dict[str, Rows]:
    """The rows that a reader sees now, table by table; nothing where there is no such table."""
    return {contract.table: _current(warehouse, contract) for contract in _contracts()}


def said(url: str) -> dict[str, Rows]:
    """What the API says now, typed as raw should hold it."""
    found = {
        contract.table: _typed(_fetch(url, contract.table), contract)
        for contract in (ORDERS, *SNAPSHOTS)
    }
    items = [item for order in _fetch(url, "orders") for item in order["items"]]
    return found | {"orders__items": _typed(items, ITEMS_OF_ORDERS)}


def row_counts(url: str) -> dict[str, int]:
    """The API's own count of its rows."""
    answer = requests.get(f"{url}/row-counts", timeout=5).json()
    return {each["table_name"]: each["row_count"] for each in answer}


def counts(warehouse: Warehouse) -> dict[str, int]:
    """All rows of raw, whoever may read them."""
    return {
        table: query(warehouse, f"select count(*) from raw_jaffle_shop.{table}")[0][0]
        for table in TABLES
    }


def contents(warehouse: Warehouse) -> dict[str, list[tuple]]:
    """All rows of raw without what differs from load to load; versions show as closed or open."""
    found = {}
    for contract in _contracts():
        extra = ["_dlt_id"]
        if contract.table.startswith("orders"):
            extra += ["_dlt_parent_id", "_dlt_list_idx"] if "__" in contract.table else []
        else:
            extra += ["_dlt_valid_to is null"]
        columns = ", ".join([column.name for column in contract.columns] + extra)
        sql = f"select {columns} from raw_jaffle_shop.{contract.table} order by {columns}"
        found[contract.table] = query(warehouse, sql)
    return found


def exists(warehouse: Warehouse, table: str) -> bool:
    """Whether raw has this table."""
    return query(warehouse, "select to_regclass(%s)", f"raw_jaffle_shop.{table}") != [(None,)]


def _contracts() -> tuple[Contract, ...]:
    return (ORDERS, ITEMS_OF_ORDERS, *SNAPSHOTS)


def _current(warehouse: Warehouse, contract: Contract) -> Rows:
    if not exists(warehouse, contract.table):
        return set()
    sql = NOW.get(contract.table, SNAPSHOT_NOW)
    columns = ", ".join(column.name for column in contract.columns)
    rows = query(warehouse, sql.format(columns=columns, table=contract.table))
    assert len(rows) == len(set(rows)), f"{contract.table} holds a current row twice"
    return set(rows)


def _fetch(url: str, endpoint: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/{endpoint}", {"page_size": 10**6}, timeout=20)
    assert "next" not in answer.links
    return answer.json()


def _typed(rows: list[dict[str, Any]], contract: Contract) -> Rows:
    return {
        tuple(_value(row.get(column.name), column) for column in contract.columns) for row in rows
    }


def _value(value: Any, column: Column) -> Any:
    kinds = {"whole": int, "decimal": Decimal, "timestamp": datetime.fromisoformat}
    return value if value is None else kinds.get(column.type, lambda same: same)(value)
