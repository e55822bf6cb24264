"""Undo what a dead load left in raw, before the next one starts.

dlt commits each load file in a transaction of its own and marks the load as complete at the end,
in `_dlt_loads`. A load killed in between leaves rows nobody may read, and snapshot rows retired
that are still valid, and snapshots that were never merged. The warehouse alone says what is whole:
dlt's local folder is thrown away before each load and its state restored from there, so a pending
package cannot wedge a rerun.
"""

import shutil
from pathlib import Path
from typing import Any, cast

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.sql_client import SqlClientBase

WHOLE = "select load_id from _dlt_loads where status = 0"
# Tables of the dataset that carry a load id, and whether they keep versions (scd2).
TABLES = """
select table_name, bool_or(column_name = '_dlt_valid_to')
from information_schema.columns
where table_schema = %s
group by table_name
having bool_or(column_name = '_dlt_load_id')
order by table_name
"""
# Where dlt puts a snapshot before it merges it; emptied at the end of each load.
WAITING = """
select tablename from pg_tables
where schemaname = %s and tablename not like '\\_dlt\\_%%' order by tablename
"""
PACKAGES = ("normalize/extracted/*", "load/normalized/*")  # in dlt's folder: what is not loaded yet
# A killed process's last statement may still be running in the server: wait for its end. Readers
# are not held up by this lock.
WAIT = "lock table {table} in share row exclusive mode"
DELETE = "delete from {table} where _dlt_load_id not in ({whole})"
# dlt retires a row at the moment its load package was made, which is what the load id says, to
# the microsecond; the id may have a seventh digit, so its rounding is allowed either neighbour.
RETIRED_BY_WHOLE = """
extract(epoch from _dlt_valid_to) in (
    select round(load_id::numeric, 6) + step
    from {loads} cross join (values (0), (0.000001), (-0.000001)) as neighbour (step)
    where status = 0 and load_id <= {newest}
)
"""
REVIVE = f"""
update {{table}} set _dlt_valid_to = null
where _dlt_valid_to is not null and not ({RETIRED_BY_WHOLE})
"""  # noqa: S608 - no value in it


def drop_packages(folder: Path) -> list[str]:
    """Throw dlt's local folder of a source away; ids of the packages that were pending there."""
    pending = {package.name for pattern in PACKAGES for package in folder.glob(pattern)}
    shutil.rmtree(folder, ignore_errors=True)
    return sorted(pending)


def heal(client: SqlClientBase[Any]) -> dict[str, int]:
    """Remove the rows of unfinished loads from the client's dataset and revive what they retired.

    All of it or nothing: a load that was killed may still be about to say that it is complete.

    Returns:
        Rows removed or revived, by table; empty when there was nothing to mend.
    """
    mended: dict[str, int] = {}
    with client:
        try:
            tables = client.execute_sql(TABLES, client.dataset_name) or []
        except DestinationUndefinedEntity:
            return {}
        waiting = client.execute_sql(WAITING, client.staging_dataset_name) or []
        with client.begin_transaction():
            if tables:
                client.execute_sql(WAIT.format(table="_dlt_loads"))
            for table, versioned in tables:
                mended[table] = _mend(client, client.escape_column_name(table), versioned)
            with client.with_staging_dataset():
                for (table,) in waiting:
                    name = client.make_qualified_table_name(table)
                    mended[f"{client.dataset_name}.{table}"] = _empty(client, name)
    return {table: rows for table, rows in mended.items() if rows}


def _mend(client: SqlClientBase[Any], table: str, versioned: bool) -> int:
    client.execute_sql(WAIT.format(table=table))
    count = _change(client, DELETE.format(table=table, whole=WHOLE))
    if versioned:
        count += _change(client, REVIVE.format(table=table, loads="_dlt_loads", newest="load_id"))
    return count


def _empty(client: SqlClientBase[Any], table: str) -> int:
    client.execute_sql(WAIT.format(table=table))
    ((rows,),) = client.execute_sql(f"select count(*) from {table}") or [(0,)]  # noqa: S608 - quoted
    if rows:
        client.execute_sql(f"truncate {table}")
    return int(rows)


def _change(client: SqlClientBase[Any], sql: str) -> int:
    with client.execute_query(sql) as cursor:
        return int(cast(Any, cursor).rowcount)
