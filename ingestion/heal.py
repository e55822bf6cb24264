"""Undo what a dead load left in raw, before the next one starts.

dlt commits each load file in a transaction of its own and marks the load as complete at the end,
in `_dlt_loads`. A load killed in between leaves rows nobody may read, and snapshot rows retired
that are still valid. The warehouse alone says what is whole: dlt's local folder is thrown away
before each load and its state restored from there, so a pending package cannot wedge a rerun.
"""

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
having bool_or(column_name = '_dlt_load_id') and table_name not like '\\_dlt\\_%%'
order by table_name
"""
# A killed process's last statement may still be running in the server: wait for its end. Readers
# are not held up by this lock.
WAIT = "lock table {table} in share row exclusive mode"
DELETE = "delete from {table} where _dlt_load_id not in ({whole})"
# dlt retires a row at the moment its load package was made, which is what the load id says, to
# the microsecond; the id may have a seventh digit, so its rounding is allowed either neighbour.
REVIVE = """
update {table} set _dlt_valid_to = null
where _dlt_valid_to is not null
  and extract(epoch from _dlt_valid_to) not in (
      select round(load_id::numeric, 6) + step
      from _dlt_loads cross join (values (0), (0.000001), (-0.000001)) as neighbour (step)
      where status = 0
  )
"""


def heal(client: SqlClientBase[Any]) -> dict[str, int]:
    """Remove the rows of unfinished loads from the client's dataset and revive what they retired.

    Returns:
        Rows removed or revived, by table; empty when there was nothing to mend.
    """
    mended: dict[str, int] = {}
    with client:
        try:
            tables = client.execute_sql(TABLES, client.dataset_name) or []
        except DestinationUndefinedEntity:
            return {}
        for table, versioned in tables:
            name = client.escape_column_name(table)
            with client.begin_transaction():
                client.execute_sql(WAIT.format(table=name))
                count = _change(client, DELETE.format(table=name, whole=WHOLE))
                if versioned:
                    count += _change(client, REVIVE.format(table=name))
            if count:
                mended[table] = count
    return mended


def _change(client: SqlClientBase[Any], sql: str) -> int:
    with client.execute_query(sql) as cursor:
        return int(cast(Any, cursor).rowcount)
