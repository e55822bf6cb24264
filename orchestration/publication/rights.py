"""What travels from one version of the marts to the next: rights, comments, hand-made indexes."""

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.publication.sql import ddl, role_exists

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

COPIED = Path(__file__).with_suffix(".sql").read_text()
# dbt names its indexes by a hash, so that those which a model no longer wants stay behind.
INDEXES = """
select distinct format('create %%sindex on %%I.%%I using %%s',
    case when i.indisunique then 'unique ' end, %(new)s, c.relname,
    split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2))
from pg_index as i
join pg_class as c on c.oid = i.indrelid
join pg_class as x on x.oid = i.indexrelid
where c.relnamespace = to_regnamespace(%(old)s) and x.relname !~ '^[0-9a-f]{32}$'
  and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
  and exists (select from pg_class as n
              where n.relnamespace = to_regnamespace(%(new)s) and n.relname = c.relname
                and n.relkind in ('r', 'p', 'm'))
  and not exists (
      select from pg_index as j join pg_class as n on n.oid = j.indrelid
      where n.relnamespace = to_regnamespace(%(new)s) and n.relname = c.relname
        and split_part(pg_get_indexdef(j.indexrelid), ' USING ', 2)
            = split_part(pg_get_indexdef(i.indexrelid), ' USING ', 2))
"""
REVOKED = """
select distinct format('revoke all on %%I.%%I from %%s', %(new)s, c.relname,
    case when a.grantee = 0 then 'public' else a.grantee::regrole::text end)
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select a.* from pg_attribute as t cross join lateral aclexplode(t.attacl) as a
    where t.attrelid = c.oid
) as a
where c.relnamespace = to_regnamespace(%(new)s) and a.grantee <> c.relowner
  and exists (select from pg_class as o
              where o.relnamespace = to_regnamespace(%(old)s) and o.relname = c.relname)
"""
GUESTS = """
select distinct case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
from pg_namespace as n cross join lateral aclexplode(n.nspacl) as a
where n.nspname = %s and a.grantee <> n.nspowner
"""


def copy_rights(cursor: "cursor", old: str, new: str) -> None:
    """Give others on the schema `new` and its tables what they have on those of `old`."""
    _run_all(cursor, COPIED, {"old": old, "new": new})


def revoke_rights(cursor: "cursor", old: str, new: str) -> None:
    """Take from others what they have on tables of `new` that stand in `old` too.

    Before a rollback: a right that was taken from somebody since must not come back with it.
    """
    _run_all(cursor, REVOKED, {"old": old, "new": new})


def copy_indexes(cursor: "cursor", old: str, new: str) -> list[str]:
    """Make the indexes that somebody made by hand on `old` on `new` too.

    Returns:
        A sentence for each that cannot be made any more.
    """
    import psycopg2

    cursor.execute(INDEXES, {"old": old, "new": new})
    lost = []
    for (statement,) in cursor.fetchall():
        try:
            cursor.execute(statement)
        except psycopg2.Error as error:
            lost.append(f"an index could not be kept: {statement}: {str(error).splitlines()[0]}")
    return lost


def close_schema(cursor: "cursor", schema: str) -> None:
    """Let nobody but the owner enter the schema; views of others that read it go on working."""
    cursor.execute(GUESTS, (schema,))
    for (guest,) in cursor.fetchall():
        ddl(cursor, f"revoke all on schema {{}} from {guest}", schema)


def let_in(cursor: "cursor", schema: str, role: str | None) -> None:
    """Let a role enter the schema, if there is such a role; dbt grants what it may read there."""
    if role and role_exists(cursor, role):
        ddl(cursor, "grant usage on schema {} to {}", schema, role)


def _run_all(cursor: "cursor", query: str, names: dict[str, str]) -> None:
    cursor.execute(query, names)
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)
