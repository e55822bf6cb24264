"""The current rows as of any load, by the very macros that the staging models use."""

from typing import Any

import jinja2

from ingestion.sources.jaffle_shop.contract import ITEMS_OF_ORDERS, ORDERS, SNAPSHOTS
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import query

MACROS = (ROOT / "dbt_project" / "macros" / "raw_history.sql").read_text()
SHOP = "jaffle_shop"
Rows = dict[str, list[tuple]]


def load_ids(warehouse: Warehouse) -> list[str]:
    """The completed loads, oldest first."""
    sql = "select load_id from raw_jaffle_shop._dlt_loads where status = 0 order by 1"
    return [load_id for (load_id,) in query(warehouse, sql)]


def as_of(warehouse: Warehouse, load_id: str) -> Rows:
    """The current rows after that load, by table, with their hashes and loads."""
    template: Any = jinja2.Environment().from_string(MACROS)  # noqa: S701 - it is SQL
    macros = template.make_module({
        "var": {"as_of_load": load_id}.get,
        "source": lambda source, table: f"raw_{source}.{table}",
    })  # fmt: skip
    current = {
        "orders": macros.current_rows_of_log(SHOP, "orders", ["id"]),
        "orders__items": macros.nested_rows_of_log(SHOP, "orders__items", "orders", ["id"]),
    } | {
        contract.table: macros.current_rows_of_scd2(SHOP, contract.table, list(contract.key))
        for contract in SNAPSHOTS
    }
    return {table: _rows(warehouse, table, f"({sql})") for table, sql in current.items()}


def everything(warehouse: Warehouse) -> Rows:
    """All rows of raw, in the same form."""
    tables = (contract.table for contract in (ORDERS, ITEMS_OF_ORDERS, *SNAPSHOTS))
    return {table: _rows(warehouse, table, f"raw_{SHOP}.{table}") for table in tables}


def _rows(warehouse: Warehouse, table: str, rows: str) -> list[tuple]:
    (columns,) = (
        contract.columns for contract in (ORDERS, ITEMS_OF_ORDERS, *SNAPSHOTS)
        if contract.table == table
    )  # fmt: skip
    # not _dlt_valid_to, which a later load may write
    names = ", ".join([column.name for column in columns] + ["_dlt_id", "_dlt_load_id"])
    return query(warehouse, f"select {names} from {rows} as t order by {names}")
