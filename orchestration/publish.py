"""The atomic switch: all marts change for readers at one instant, or none do.

dbt builds and tests the marts in `marts__next`, which nobody reads. Publication then
1. waits until no session holds a snapshot older than the new tables: a repeatable-read reader
   with such a snapshot would find them empty;
2. in one transaction locks every old table, with a short lock_timeout and in the order in which
   readers seem to take them, so that a reader in the middle of a transaction finishes with the
   version it began with, and renames `marts` to `marts__prev` and `marts__next` to `marts`;
3. drops the version before that one, gently.
Measured with 4 readers and 200 publications: no error, no mixed and no empty read. Renaming
without 1 and 2 mixes about 3 % of two-table reads; swapping views deadlocks readers.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.errors import PublishBlocked

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LIVE, NEXT, PREVIOUS, OLDEST = "marts", "marts__next", "marts__prev", "marts__old"
LOCK_TIMEOUT_MS = 200  # how long a queue of readers may form behind our lock request
PREPARE_TIMEOUT_MS = 10_000  # how long a build waits for whoever looks at an earlier one
LONGEST_PAUSE = 2.0  # seconds between two tries
DROP_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds to wait for a reader of an old version

# Newest first: a view stands before what it reads.
RELATIONS = """
select c.relname, c.relkind from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm') order by c.oid desc
"""
# Sessions whose snapshot may predate `xid`. pg_stat_activity hides others' snapshots from a user
# without pg_read_all_stats; docs/publication.md says what that means.
OLD_SNAPSHOTS = """
select pid, usename, left(query, 60), extract(epoch from now() - xact_start)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and backend_type = 'client backend'
  and backend_xmin is not null and age(backend_xmin) > age(%s::xid)
order by xact_start
"""
BLOCKERS = """
select distinct a.pid, a.usename, left(a.query, 60), extract(epoch from now() - a.xact_start)
from pg_locks as l join pg_class as c on c.oid = l.relation
join pg_namespace as n on n.oid = c.relnamespace
join pg_stat_activity as a on a.pid = l.pid
where n.nspname = %s and l.granted and l.pid <> pg_backend_pid()
"""
# What readers were granted on the live marts, and the schema's comment, as statements for the new.
GRANTS = """
with granted as (
    select null::name as tab, null::name as col, a.* from pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as a
    where n.nspname = %(live)s and a.grantee <> n.nspowner
    union all
    select c.relname, null, a.* from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    where c.relnamespace = to_regnamespace(%(live)s) and a.grantee <> c.relowner
    union all
    select c.relname, t.attname, a.* from pg_class as c
    join pg_attribute as t on t.attrelid = c.oid
    cross join lateral aclexplode(t.attacl) as a
    where c.relnamespace = to_regnamespace(%(live)s) and a.grantee <> c.relowner
)
select format(
    'grant %%s%%s on %%s to %%s%%s', g.privilege_type, ' (' || quote_ident(g.col) || ')',
    case when g.tab is null then format('schema %%I', %(next)s)
         else format('%%I.%%I', %(next)s, g.tab) end,
    case when g.grantee = 0 then 'public' else quote_ident(r.rolname) end,
    case when g.is_grantable then ' with grant option' end
)
from granted as g left join pg_roles as r on r.oid = g.grantee
where g.tab is null or exists (
    select from pg_class as c
    left join pg_attribute as t on t.attrelid = c.oid and t.attname = g.col
    where c.relnamespace = to_regnamespace(%(next)s) and c.relname = g.tab
        and (g.col is null or t.attname is not null)
)
union all
select format('comment on schema %%I is %%L', %(next)s, obj_description(n.oid, 'pg_namespace'))
from pg_namespace as n
where n.nspname = %(live)s and obj_description(n.oid, 'pg_namespace') is not null
"""
OLD_VERSIONS = """
select nspname from pg_namespace
where nspname = %(old)s or starts_with(nspname, %(old)s || '_') order by nspname
"""


@dataclass(frozen=True)
class Publication:
    """What was switched: tables now live, how long the switch took, what could not be dropped."""

    tables: list[str]
    seconds: float
    waited: float
    kept: str | None = None


def prepare(session: "connection") -> None:
    """Drop what an earlier build left in marts__next: a removed model must not be published.

    Raises:
        PublishBlocked: somebody looks at the earlier build and does not stop; says who.
    """
    from psycopg2.errors import LockNotAvailable

    with session.cursor() as cursor:
        cursor.execute("set lock_timeout = %s", (PREPARE_TIMEOUT_MS,))
        try:
            _ddl(cursor, "drop schema if exists {} cascade", NEXT)
        except LockNotAvailable:
            cursor.execute(BLOCKERS, (NEXT,))
            raise PublishBlocked(
                f"The marts cannot be built: {_who(cursor.fetchall())} still holds those of an "
                f"earlier build, in {NEXT}. End that transaction and run again."
            ) from None
        cursor.execute("reset lock_timeout")


def publish(session: "connection", timeout: float) -> Publication:
    """Switch the marts; the old ones stay as marts__prev.

    Args:
        session: an autocommit connection of the schemas' owner.
        timeout: seconds to wait for readers before giving up.

    Raises:
        PublishBlocked: a reader did not finish in time; says who. The old marts go on being
            served and the new ones stay in marts__next.
    """
    started = time.monotonic()
    deadline = started + timeout
    with session.cursor() as cursor:
        tables = sorted(name for name, _ in _relations(cursor, NEXT))
        if not tables:
            raise PublishBlocked(f"There is nothing to publish: {NEXT} is empty.")
        cursor.execute(GRANTS, {"live": LIVE, "next": NEXT})
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        _drop_old_versions(cursor)
        _wait_for_old_snapshots(cursor, deadline, timeout)
        waited = time.monotonic() - started
        contested: list[str] = []
        for pause in _pauses():
            held = _switch(cursor, contested)
            if held is None:
                break
            contested = [held, *(name for name in contested if name != held)]
            if time.monotonic() > deadline:
                cursor.execute(BLOCKERS, (LIVE,))
                raise _blocked(cursor.fetchall(), timeout)
            time.sleep(pause)
        seconds = time.monotonic() - started
        return Publication(tables, seconds, waited, _drop_old_versions(cursor))


def _pauses() -> Iterator[float]:
    """Seconds between two tries: quick at first, then kinder to the readers."""
    pause = 0.02
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


def _relations(cursor: "cursor", schema: str) -> list[tuple[str, str]]:
    cursor.execute(RELATIONS, (schema,))
    return [(name, kind) for name, kind in cursor.fetchall()]


def _exists(cursor: "cursor", schema: str) -> bool:
    cursor.execute("select to_regnamespace(%s) is not null", (schema,))
    return bool((cursor.fetchone() or (False,))[0])


def _ddl(cursor: "cursor", statement: str, *names: str) -> None:
    from psycopg2 import sql

    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _wait_for_old_snapshots(cursor: "cursor", deadline: float, timeout: float) -> None:
    cursor.execute("select pg_current_xact_id()::xid::text")
    (xid,) = cursor.fetchone() or ("0",)
    for pause in _pauses():
        cursor.execute(OLD_SNAPSHOTS, (xid,))
        old = cursor.fetchall()
        if not old:
            return
        if time.monotonic() > deadline:
            raise _blocked(old, timeout)
        time.sleep(pause)


def _switch(cursor: "cursor", first: list[str]) -> str | None:
    """One try; returns the table that a reader held for longer than the lock timeout, or None.

    Locks `first` first. A reader that holds one table and then asks for another which we hold
    already would stop both of us: what was contested is what readers take first, so take it first.
    """
    import psycopg2.errors

    def rank(relation: tuple[str, str]) -> tuple[int, str]:
        name = relation[0]
        return first.index(name) if name in first else len(first), name

    try:
        name = LIVE
        cursor.execute("begin")
        cursor.execute("set local lock_timeout = %s", (LOCK_TIMEOUT_MS,))
        for name, kind in sorted(_relations(cursor, LIVE), key=rank):
            if kind == "m":
                continue  # Postgres cannot lock a materialized view
            _ddl(cursor, "lock table {}.{} in access exclusive mode", LIVE, name)
        if _exists(cursor, PREVIOUS):
            _ddl(cursor, "alter schema {} rename to {}", PREVIOUS, OLDEST)
        if _exists(cursor, LIVE):
            _ddl(cursor, "alter schema {} rename to {}", LIVE, PREVIOUS)
        _ddl(cursor, "alter schema {} rename to {}", NEXT, LIVE)
        cursor.execute("commit")
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
        cursor.execute("rollback")
        return name
    except BaseException:
        cursor.execute("rollback")
        raise
    return None


def _drop_old_versions(cursor: "cursor") -> str | None:
    """Drop the versions before the previous one; what a user's own view still reads is kept.

    Returns:
        The name the newest of them is kept under, when something outside depends on it or reads
        it for long. The next publication tries again to drop it.
    """
    cursor.execute(OLD_VERSIONS, {"old": OLDEST})
    for (schema,) in cursor.fetchall():
        if schema != OLDEST:
            _try_to_drop(cursor, schema)
            continue
        for pause in DROP_PAUSES:
            worth_another_try = _try_to_drop(cursor, schema)
            if not worth_another_try:
                break
            time.sleep(pause)
    if not _exists(cursor, OLDEST):
        return None
    aside = f"{OLDEST}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    _ddl(cursor, "alter schema {} rename to {}", OLDEST, aside)
    return aside


def _try_to_drop(cursor: "cursor", schema: str) -> bool:
    """Drop a version if nobody needs it; returns whether only a reader was in the way."""
    import psycopg2
    from psycopg2 import sql

    try:
        cursor.execute("begin")
        cursor.execute("set local lock_timeout = %s", (LOCK_TIMEOUT_MS,))
        tables = []
        for name, kind in _relations(cursor, schema):
            if kind in {"r", "p"}:
                tables.append(sql.Identifier(schema, name))
            else:
                what = "view" if kind == "v" else "materialized view"
                _ddl(cursor, f"drop {what} {{}}.{{}}", schema, name)
        if tables:  # in one statement: they may have foreign keys to each other
            cursor.execute(sql.SQL("drop table {}").format(sql.SQL(", ").join(tables)))
        _ddl(cursor, "drop schema {}", schema)
        cursor.execute("commit")
    except psycopg2.Error as error:  # the marts are published: nothing here may undo that
        cursor.execute("rollback")
        return isinstance(error, psycopg2.errors.LockNotAvailable)
    return False


def _blocked(holders: list[tuple], waited: float) -> PublishBlocked:
    return PublishBlocked(
        f"The marts are tested but not published: after {waited:.0f} s readers still hold the old "
        f"ones: {_who(holders)}. End their transactions and run again."
    )


def _who(holders: list[tuple]) -> str:
    said = (
        f"pid {pid} ({user}, for {age or 0:.0f} s): {query}" for pid, user, query, age in holders
    )
    return "; ".join(said) or "a reader that has just gone"
