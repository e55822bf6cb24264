"""Dropping versions that are no longer kept: gently, and never what somebody still needs."""

import time
from typing import TYPE_CHECKING

from orchestration.publication.sql import ddl, relations, schema_exists
from orchestration.publication.versions import LIVE, NEXT, Version, all_versions

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

LOCK_TIMEOUT_MS = 200
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds to wait for a reader of an old version


def drop_unneeded(cursor: "cursor", keep: int) -> list[str]:
    """Drop all but the live version and those `keep` - 1 that were served last before it.

    Returns:
        A sentence for each that had to stay, because something depends on it or reads it for long.
        The next publication tries again.
    """
    old = [v for v in all_versions(cursor) if v.schema and v.schema not in {LIVE, NEXT}]
    old.sort(key=lambda v: (v.replaced_at is not None, v.replaced_at, v.number), reverse=True)
    sentences = []
    for version in old[max(keep - 1, 0) :]:
        why = _drop_patiently(cursor, version)
        if why:
            sentences.append(f"version {version.number} had to be kept: {why}")
    return sentences


def _drop_patiently(cursor: "cursor", version: Version) -> str | None:
    import psycopg2

    why = None
    for pause in (*PAUSES, None):
        try:
            cursor.execute("begin")
            cursor.execute("set local lock_timeout = %s", (LOCK_TIMEOUT_MS,))
            _drop(cursor, version)
            cursor.execute("commit")
            return None
        except psycopg2.errors.LockNotAvailable:
            cursor.execute("rollback")
            why = "somebody still reads it"
        except psycopg2.Error as error:  # the marts are published: nothing here may undo that
            cursor.execute("rollback")
            detail = error.diag.message_detail or str(error)
            return "; ".join(detail.splitlines()[:3])
        if pause:
            time.sleep(pause)
    return why


def _drop(cursor: "cursor", version: Version) -> None:
    from psycopg2 import sql

    for schema in (version.schema, version.clear_schema):
        if schema is None or not schema_exists(cursor, schema):
            continue
        tables = []
        for name, kind in relations(cursor, schema):
            if kind in {"r", "p"}:
                tables.append(sql.Identifier(schema, name))
            else:
                what = "view" if kind == "v" else "materialized view"
                ddl(cursor, f"drop {what} {{}}.{{}}", schema, name)
        if tables:  # in one statement: they may have foreign keys to each other
            cursor.execute(sql.SQL("drop table {}").format(sql.SQL(", ").join(tables)))
        ddl(cursor, "drop schema {}", schema)
    cursor.execute(
        "update ops.versions set schema_name = null where version = %s", (version.number,)
    )
