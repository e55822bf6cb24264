"""Names into statements, and the catalog questions that every part of publication asks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

# Newest first: a view stands before what it reads.
RELATIONS = """
select c.relname, c.relkind from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm') order by c.oid desc
"""


def ddl(cursor: "cursor", statement: str, *names: str) -> None:
    """Run a statement whose {} are names, quoted where they must be."""
    from psycopg2 import sql

    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def relations(cursor: "cursor", schema: str) -> list[tuple[str, str]]:
    """Name and kind (r, p, v, m) of a schema's tables and views, views before what they read."""
    cursor.execute(RELATIONS, (schema,))
    return [(name, kind) for name, kind in cursor.fetchall()]


def schema_exists(cursor: "cursor", schema: str) -> bool:
    """Whether there is such a schema."""
    cursor.execute("select to_regnamespace(quote_ident(%s)) is not null", (schema,))
    return bool((cursor.fetchone() or (False,))[0])


def role_exists(cursor: "cursor", role: str) -> bool:
    """Whether there is such a role."""
    cursor.execute("select to_regrole(quote_ident(%s)) is not null", (role,))
    return bool((cursor.fetchone() or (False,))[0])
