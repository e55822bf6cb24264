"""What a deployment may leave alone: marts that the new code builds as they stand."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.publication.chamber import newest_load
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import (
    LIVE,
    NEXT,
    all_versions,
    marts_of,
    refresh,
    standing_in,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection

# Under their own names: dbt's are hashes, by which what it made is told from what people made.
INDEXES = """
select format('create %%sindex %%I on %%I.%%I using %%s',
    case when i.indisunique then 'unique ' end, x.relname, %(new)s, c.relname,
    split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2))
from pg_index as i
join pg_class as c on c.oid = i.indrelid
join pg_class as x on x.oid = i.indexrelid
where c.relnamespace = to_regnamespace(%(old)s) and c.relname = %(table)s
"""


@dataclass(frozen=True)
class Plan:
    """Against which manifest a deployment compares; without `state` everything is built."""

    why: str
    state: Path | None = None
    live: int | None = None
    tables: frozenset[str] = frozenset()  # marts of the live version that can be copied


def plan_deployment(session: "connection", runs_dir: Path) -> Plan:
    """Whether the live marts may be copied beside new ones: only if both read the same raw rows.

    What stands in `staging` and `intermediate` must be of the live version too.
    """
    with session.cursor() as cursor:
        refresh(cursor)
        live, versions = standing_in(cursor, LIVE), all_versions(cursor)
        if live is None or live.run_id is None:
            return Plan("there is no version of known code to compare with")
        state = runs_dir / live.run_id / "dbt"
        if versions[0] != live:
            return Plan(f"something else was built after version {live.number}, which is live")
        if newest_load(cursor) != live.watermark:
            return Plan(f"raw has moved on since version {live.number} was built")
        if not (state / "manifest.json").exists():
            return Plan(f"{state.parent} holds no manifest of version {live.number}")
        tables = {name for schema in (LIVE, live.clear_schema)
                  for name, kind in relations(cursor, schema) if kind == "r"}  # fmt: skip
        return Plan("", state, live.number, frozenset(tables & marts_of(cursor, live).keys()))


def copy_marts(session: "connection", names: list[str]) -> None:
    """Copy tables of the live version into the chamber, with their indexes and statistics."""
    with session.cursor() as cursor:
        live = standing_in(cursor, LIVE)
        assert live  # noqa: S101 - plan_deployment has found it
        clear = {name for name, _ in relations(cursor, live.clear_schema)}
        for name in names:
            old = live.clear_schema if name in clear else LIVE
            like = "create table {}.{} (like {}.{} including all excluding indexes)"
            ddl(cursor, like, NEXT, name, old, name)
            ddl(cursor, "insert into {}.{} select * from {}.{}", NEXT, name, old, name)
            cursor.execute(INDEXES, {"old": old, "new": NEXT, "table": name})
            for (statement,) in cursor.fetchall():
                cursor.execute(statement)
            ddl(cursor, "analyze {}.{}", NEXT, name)
