"""Personal data: a mart with `pii` columns is a view that masks them for whoever may not see them.

The table itself moves to a schema of its own, which no reader may enter; not beside the view,
because `grant select on all tables in schema marts` would open it. Who sees it in the clear is
decided by membership of one role (and of the owner), when a query runs: text becomes ***, other
types null. Indexes on the other columns serve the view's readers too.
"""

from typing import TYPE_CHECKING

from orchestration.publication.rights import copy_rights
from orchestration.publication.sql import ddl
from orchestration.publication.versions import NEXT, Version

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

TEXT = ("text", "character varying", "character")
COLUMNS = """
select attname, format_type(atttypid, atttypmod), format_type(atttypid, null)
from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
"""
# Asked once a query, not once a row. The role may be made later, or never. It reads no relation:
# LOCK TABLE on a view locks all that the view reads, and pg_roles is not ours to lock.
MAY_SEE = """(
    select coalesce(pg_has_role(to_regrole({role})::oid, 'usage'), false)
        or coalesce(pg_has_role(to_regrole({owner})::oid, 'usage'), false)
)"""
OWNER = (
    "select quote_ident(pg_get_userbyid(relowner)), relkind from pg_class where oid = %s::regclass"
)
# Comments of the table and its columns, as statements for the view.
COMMENTS = """
select format('comment on view %%s is %%L', %(view)s, obj_description(%(table)s::regclass))
where obj_description(%(table)s::regclass) is not null
union all
select format('comment on column %%s.%%I is %%L', %(view)s, attname,
              col_description(attrelid, attnum))
from pg_attribute where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
  and col_description(attrelid, attnum) is not null
"""


def mask(cursor: "cursor", version: Version, masked: dict[str, list[str]], pii_role: str) -> None:
    """Put a masking view in the place of each mart with personal data; the name stays.

    Args:
        cursor: in a transaction of the tables' owner.
        version: the version in the chamber.
        masked: the columns with personal data, by mart; marts without any are left alone.
        pii_role: the role whose members see them; a name that needs no quotes.
    """
    marts = [mart for mart, columns in masked.items() if columns]
    if marts:
        ddl(cursor, "create schema {}", version.clear_schema)
    for mart in marts:
        cursor.execute(OWNER, (_quoted(cursor, NEXT, mart),))
        owner, kind = cursor.fetchone() or ("", "r")
        what = {"v": "view", "m": "materialized view"}.get(kind, "table")
        ddl(cursor, f"alter {what} {{}}.{{}} set schema {{}}", NEXT, mart, version.clear_schema)
        _create_view(cursor, version, mart, masked[mart], (pii_role, owner))
    if marts:
        copy_rights(cursor, version.clear_schema, NEXT)


def _create_view(
    cursor: "cursor", version: Version, mart: str, columns: list[str], see: tuple[str, str]
) -> None:
    from psycopg2 import sql

    table = _quoted(cursor, version.clear_schema, mart)
    cursor.execute(COLUMNS, (table,))
    may_see = sql.SQL(MAY_SEE).format(role=sql.Literal(see[0]), owner=sql.Literal(see[1]))
    parts: list[sql.Composable] = []
    for name, full_type, plain_type in cursor.fetchall():
        column: sql.Composable = sql.Identifier(name)
        if name in columns:
            stars = sql.Literal("***" if plain_type in TEXT else None)
            column = sql.SQL(
                "cast(case when {may_see} then {column} when {column} is not null "
                "then {stars} end as " + full_type + ") as {column}"
            ).format(may_see=may_see, column=column, stars=stars)
        parts.append(column)
    view, source = sql.Identifier(NEXT, mart), sql.Identifier(version.clear_schema, mart)
    cursor.execute(
        sql.SQL("create view {} as select {} from {}").format(
            view, sql.SQL(", ").join(parts), source
        )
    )
    cursor.execute(COMMENTS, {"table": table, "view": _quoted(cursor, NEXT, mart)})
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


def _quoted(cursor: "cursor", schema: str, name: str) -> str:
    from psycopg2 import sql

    return sql.Identifier(schema, name).as_string(cursor)
