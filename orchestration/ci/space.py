"""The schemas of one CI job: named after it, alive as long as its session, cleared by anybody then.

The marker schema `ci_<run>_<checksum>` says in its comment whose it is; dbt's schemas begin with
its name. The job holds an advisory lock of the checksum, which Postgres frees when the job is
killed.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.errors import RunLocked
from orchestration.publication.sql import ddl
from orchestration.warehouse import Warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

KEY = 0x45434C43  # "ECLC"; beside the run lock's "ECLS"
SAID = "Écluse ci: run "
PATIENCE_MS = 10_000  # for somebody who looks into the schemas of a job
MARKERS = """
select nspname, obj_description(oid, 'pg_namespace') from pg_namespace
where nspname ~ '^ci_[a-z0-9_]{1,28}_[0-9a-f]{8}$' and pg_has_role(nspowner, 'usage')
  and starts_with(obj_description(oid, 'pg_namespace'), %s)
order by nspname
"""
OF_MARKER = r"select nspname from pg_namespace where starts_with(nspname, %s || '_') order by 1"
END = """
select pg_terminate_backend(pid, 10000) from pg_stat_activity
where application_name = %s and datname = current_database() and pid <> pg_backend_pid()
  and pg_has_role(usesysid, 'usage')
"""


@dataclass(frozen=True)
class Leftover:
    """The schemas of a job that is dead. `said` is the marker's comment: which run, since when."""

    name: str
    said: str


def space_name(run_id: str) -> str:
    """The marker schema of a job; two ids that differ only far behind have two names."""
    slug = re.sub(r"[^a-z0-9]", "_", run_id.lower())[:28]
    return f"ci_{slug}_{zlib.crc32(run_id.encode()):08x}"


def application(name: str) -> str:
    """What the sessions of a job are called in pg_stat_activity."""
    return f"ecluse {name}"


@contextmanager
def held_space(warehouse: Warehouse, run_id: str) -> Iterator["connection"]:
    """The session that keeps a job's schemas alive; what dead jobs left is dropped first.

    Raises:
        RunLocked: a job of this id is at work.
    """
    name = space_name(run_id)
    session = warehouse.connect(application(name))
    try:
        if not _lock(session, name):
            raise RunLocked(f"The CI job {run_id} is at work already: give ECLUSE_RUN_ID anew.")
        with warehouse.explained(lambda: bool(session.closed)):
            for left in leftovers(session):
                clear(session, left.name)
            clear(session, name)
            with ops.transaction(session) as cursor:
                ddl(cursor, "create schema {}", name)
                _comment(cursor, name, f"{SAID}{run_id}, began {datetime.now(UTC):%F %T} UTC")
            yield session
    finally:
        _leave(session, name)


def leftovers(session: "connection") -> list[Leftover]:
    """The jobs that have left schemas and hold no session any more."""
    with session.cursor() as cursor:
        cursor.execute(MARKERS, (SAID,))
        found = [Leftover(*row) for row in cursor.fetchall()]
    return [left for left in found if _is_dead(session, left.name)]


def clear(session: "connection", name: str) -> None:
    """End what a job still has at work in Postgres, and drop its schemas, the marker last.

    Raises:
        psycopg2.errors.LockNotAvailable: somebody looks into them and does not stop.
    """
    with session.cursor() as cursor:
        cursor.execute(END, (application(name),))
        cursor.execute("set lock_timeout = %s", (PATIENCE_MS,))
        cursor.execute(OF_MARKER, (name,))
        for (schema,) in cursor.fetchall():
            ddl(cursor, "drop schema if exists {} cascade", schema)
        ddl(cursor, "drop schema if exists {} cascade", name)
        cursor.execute("reset lock_timeout")


def _leave(session: "connection", name: str) -> None:
    """Drop what we have built. What cannot be dropped now goes with the next job."""
    import psycopg2

    with suppress(psycopg2.Error):
        with session.cursor() as cursor:
            cursor.execute("rollback")
        if _owns(session, name):
            clear(session, name)
    with suppress(psycopg2.Error), session.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock_all()")
    session.close()


def _comment(cursor: "cursor", schema: str, text: str) -> None:
    from psycopg2 import sql

    command = sql.SQL("comment on schema {} is {}")
    cursor.execute(command.format(sql.Identifier(schema), sql.Literal(text)))


def _number(name: str) -> int:
    """The checksum as Postgres wants the number of a lock: signed."""
    return int.from_bytes(bytes.fromhex(name[-8:]), "big", signed=True)


def _lock(session: "connection", name: str) -> bool:
    with session.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", (KEY, _number(name)))
        return cursor.fetchone() == (True,)


def _is_dead(session: "connection", name: str) -> bool:
    """Whether nobody holds its lock; asked by taking it for a moment."""
    if _owns(session, name) or not _lock(session, name):
        return False
    with session.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s, %s)", (KEY, _number(name)))
    return True


def _owns(session: "connection", name: str) -> bool:
    with session.cursor() as cursor:
        cursor.execute(
            "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() "
            "and classid = %s and objid = %s::bigint::oid",
            (KEY, _number(name) % 2**32),
        )
        return cursor.rowcount > 0
