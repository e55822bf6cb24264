"""What two warehouses hold, in words that can be compared: rows, versions, nothing of chance."""

from collections import Counter
from dataclasses import dataclass

from ingestion.sources.jaffle_shop.contract import ITEMS_OF_ORDERS, ORDERS, SNAPSHOTS
from orchestration.warehouse import Warehouse
from tests.databases import query

RAW, LOADING = "raw_jaffle_shop", "raw_jaffle_shop_loading"
KEYS = {contract.table: contract.key for contract in (ORDERS, ITEMS_OF_ORDERS, *SNAPSHOTS)}
COLUMNS = """
select table_name, column_name from information_schema.columns
where table_schema = %s order by table_name, column_name
"""
TABLES = "select tablename from pg_tables where schemaname = %s order by 1"
# What differs from load to load, told by what must not: is the row's load whole, which of the
# versions of its key is it, is it current, and does the next version begin where it ends.
TOLD = {
    "_dlt_load_id": "_dlt_load_id in (select load_id from {raw}._dlt_loads where status = 0), "
    "dense_rank() over (partition by {key} order by _dlt_load_id)",
    "_page": "_page is null",  # pages are cut where the day of the load cuts them
    "_dlt_valid_from": "row_number() over (partition by {key} order by _dlt_valid_from)",
    "_dlt_valid_to": "_dlt_valid_to is null, _dlt_valid_to is not distinct from "
    "lead(_dlt_valid_from) over (partition by {key} order by _dlt_valid_from)",
}
UNFINISHED = """
select count(*) from {raw}.{table}
where _dlt_load_id not in (select load_id from {raw}._dlt_loads where status = 0)
"""

Rows = Counter[tuple]


def raw_rows(warehouse: Warehouse) -> dict[str, Rows]:
    """Every row of raw, table by table, versions included."""
    columns: dict[str, list[str]] = {}
    for table, column in query(warehouse, COLUMNS, RAW):
        if not table.startswith("_dlt_"):
            key = ", ".join(KEYS[table])
            told = TOLD.get(column, column).format(raw=RAW, key=key)
            columns.setdefault(table, []).append(told)
    return {
        table: Counter(query(warehouse, f"select {', '.join(told)} from {RAW}.{table}"))
        for table, told in columns.items()
    }


def mart_rows(warehouse: Warehouse) -> dict[str, Rows]:
    """Every row that readers see, as text and at one instant."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("begin isolation level repeatable read")
        cursor.execute(TABLES, ("marts",))
        found = {}
        for (table,) in cursor.fetchall():
            # no two warehouses have a load id in common
            row = "(to_jsonb(t) - '_dlt_load_id')::text"
            cursor.execute(f'select {row} from marts."{table}" as t')
            found[table] = Counter(cursor.fetchall())
        return found


def whole_loads(warehouse: Warehouse) -> int:
    """How many loads are complete; one that brought nothing leaves no trace."""
    if query(warehouse, "select to_regclass(%s)", f"{RAW}._dlt_loads") == [(None,)]:
        return 0
    return query(warehouse, f"select count(*) from {RAW}._dlt_loads where status = 0")[0][0]


def unfinished(warehouse: Warehouse) -> dict[str, int]:
    """Rows in raw whose load never completed, and rows waiting to be merged, by table."""
    tables = {
        f"{RAW}.{table}": query(warehouse, UNFINISHED.format(raw=RAW, table=table))[0][0]
        for table, column in query(warehouse, COLUMNS, RAW)
        if column == "_dlt_load_id"
    }
    waiting = [table for (table,) in query(warehouse, TABLES, LOADING)]
    tables |= {
        f"{LOADING}.{table}": query(warehouse, f"select count(*) from {LOADING}.{table}")[0][0]
        for table in waiting
        if not table.startswith("_dlt_")
    }
    return {table: rows for table, rows in tables.items() if rows}


@dataclass(frozen=True)
class Difference:
    """A table that is not as it should be. `strange`: rows that should not be there at all."""

    table: str
    lost: int
    doubled: int
    strange: int
    sample: object

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.lost} rows lost, {self.doubled} doubled, "
            f"{self.strange} strange; such as {self.sample}"
        )


def differences(found: dict[str, Rows], expected: dict[str, Rows]) -> list[Difference]:
    """The tables whose rows are not each there as often as they should be."""
    said = []
    for table in sorted(found.keys() | expected.keys()):
        here, there = found.get(table, Counter()), expected.get(table, Counter())
        lost, more = there - here, here - there
        if lost or more:
            doubled = sum(more[row] for row in more if row in there)
            strange = more.total() - doubled
            sample = next(iter(lost or more))
            said.append(Difference(table, lost.total(), doubled, strange, sample))
    return said
