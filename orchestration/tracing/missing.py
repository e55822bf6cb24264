"""Why a mart has no row of a key: where the key was looked for, and where it turned up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingestion.registry import SOURCES
from ingestion.stored import holding
from orchestration.tracing.taken import taken_from

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.publication.versions import Version
    from orchestration.tracing.views import Views

SHOWN = 3
NEWEST = """
select t._dlt_load_id, l.inserted_at, to_jsonb(t) ->> '_dlt_valid_to'
from {table} as t join {loads} as l on l.load_id = t._dlt_load_id and l.status = 0
where {key}
order by t._dlt_load_id desc, to_jsonb(t) ->> '_dlt_valid_to' desc nulls first limit 1
"""


def explain_missing(
    cursor: "cursor", views: "Views", version: "Version", mart: str, key: Mapping[str, str]
) -> str:
    """What to tell somebody who asked for a row that is not there."""
    shown = ", ".join(f"{name} {value!r}" for name, value in key.items())
    told = [f"marts.{mart} (version {version.number}) has no row of {shown}."]
    tables: dict[str, dict[str, str]] = {}
    for name, value in key.items():
        for relation, column in taken_from(views, mart, name):
            tables.setdefault(relation, {})[column] = value
    for relation, values in tables.items():
        if len(values) == len(key):
            told.append(_in_raw(cursor, relation, values, version))
    waiting = [each for source in SOURCES for each in holding(cursor, source, list(key.values()))]
    for table, row in waiting[:SHOWN]:
        told.append(
            f"A row of {table} that holds it is in quarantine: run {row['run_id']} set it aside "
            f"(page {row['page']}, row {row['row_number']} of {row['endpoint']}): {row['path']}: "
            f"{row['reason']}. See `.venv/bin/ecluse quarantine show {table}`."
        )
    if len(waiting) > SHOWN:
        told.append(f"There are {len(waiting) - SHOWN} more such rows.")
    if not waiting:
        told.append("No row in quarantine holds it.")
    return " ".join(told)


def _in_raw(cursor: "cursor", relation: str, values: Mapping[str, str], version: "Version") -> str:
    import psycopg2
    from psycopg2 import sql

    schema, _, table = relation.partition(".")
    where = sql.SQL(" and ").join(
        sql.SQL("t.{}::text = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in values.items()
    )
    statement = sql.SQL(NEWEST).format(
        table=sql.Identifier(schema, table), loads=sql.Identifier(schema, "_dlt_loads"), key=where
    )
    cursor.execute("savepoint missing")
    try:
        cursor.execute(statement)
    except psycopg2.Error:  # not a table that a load of dlt has filled
        cursor.execute("rollback to savepoint missing")
        return f"{relation} cannot be asked."
    row = cursor.fetchone()
    if row is None:
        return f"Nor has {relation}."
    load_id, completed, retired = row
    came = f"{relation} has it, from load {load_id} of {completed:%Y-%m-%d %H:%M} UTC"
    if version.watermark is None or load_id > version.watermark:
        return f"{came}, which the marts were not built from yet: `.venv/bin/ecluse run`."
    return f"{came}{f', gone from the source since {retired}' if retired else ''}."
