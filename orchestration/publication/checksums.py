"""A checksum of a mart's rows that any later rebuild can be held against.

Each row as text is hashed (md5, its first 64 bits) and the hashes are summed, so the order of rows
does not matter and a doubled row does. md5 and the text of a row are the same on every version of
Postgres; its own hash functions need not be.
"""

from typing import TYPE_CHECKING

from orchestration.publication.sql import relations

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

# What the text of a row depends on.
PLAIN_TEXT = """
set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; set local timezone = 'UTC';
set local extra_float_digits = 1; set local bytea_output = 'hex'
"""
ROW_HASH = "('x' || left(md5({row}::text), 16))::bit(64)::bigint"
CHECKSUM = "select count(*), coalesce(sum({}), 0)::text from {{}}.{{}} as r"


def checksums(cursor: "cursor", schema: str) -> dict[str, tuple[int, str]]:
    """Rows and checksum of each table and view in the schema, by name."""
    from psycopg2 import sql

    statement = sql.SQL(CHECKSUM.format(ROW_HASH.format(row="r")))
    found = {}
    cursor.execute("begin")
    try:
        cursor.execute(PLAIN_TEXT)
        for name, _ in sorted(relations(cursor, schema)):
            cursor.execute(statement.format(sql.Identifier(schema), sql.Identifier(name)))
            found[name] = cursor.fetchone() or (0, "0")
    finally:
        cursor.execute("commit")
    return found
