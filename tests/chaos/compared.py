"""What two warehouses hold, in words that can be compared: rows, versions, nothing of chance."""

from collections import Counter
from dataclasses import dataclass

from ingestion.registry import SOURCES, contracts_of
from orchestration.warehouse import Warehouse
from tests.databases import query

RAW = {name: f"raw_{name}" for name in SOURCES}
KEYS = {(name, each.table): each.key for name in SOURCES for each in contracts_of(name)}
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
    for source, raw in RAW.items():
        for table, column in query(warehouse, COLUMNS, raw):
            if not table.startswith("_dlt_"):
                key = ", ".join(KEYS[source, table])
                told = TOLD.get(column, column).format(raw=raw, key=key)
                columns.setdefault(f"{raw}.{table}", []).append(told)
    return {
        table: Counter(query(warehouse, f"select {', '.join(told)} from {table}"))
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


def whole_loads(warehouse: Warehouse) -> list[int]:
    """How many loads of each source are complete; one that brought nothing leaves no trace."""
    found = []
    for raw in RAW.values():
        known = query(warehouse, "select to_regclass(%s)", f"{raw}._dlt_loads") != [(None,)]
        count = f"select count(*) from {raw}._dlt_loads where status = 0"
        found.append(query(warehouse, count)[0][0] if known else 0)
    return found


def unfinished(warehouse: Warehouse) -> dict[str, int]:
    """Rows in raw whose load never completed, and rows waiting to be merged, by table."""
    tables: dict[str, int] = {}
    for raw in RAW.values():
        tables |= {
            f"{raw}.{table}": query(warehouse, UNFINISHED.format(raw=raw, table=table))[0][0]
            for table, column in query(warehouse, COLUMNS, raw)
            if column == "_dlt_load_id"
        }
        loading = f"{raw}_loading"
        waiting = [table for (table,) in query(warehouse, TABLES, loading)]
        tables |= {
            f"{loading}.{table}": query(warehouse, f"select count(*) from {loading}.{table}")[0][0]
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
