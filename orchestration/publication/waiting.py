"""Whom publication waits for, and what it says of those who do not end."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestration.errors import PublishBlocked
from orchestration.publication.versions import Version

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

LONGEST_PAUSE = 0.2  # seconds between two looks
QUIET = 1.0  # seconds of waiting that nobody needs to hear of
WAITS = "waits for readers of the old marts: {}"
HIDDEN = "<insufficient privilege>"  # what Postgres says in the place of a query
Holder = tuple[int, str, str, float | None]  # pid, user, query, seconds in its transaction
# Sessions that may have a snapshot from before the tables were filled. Either sign alone would wait
# for too many: one open writer anywhere keeps xmin old for all who come after it, and a transaction
# that began early may have taken its snapshot late.
OLD_SNAPSHOTS = """
select pid, usename, left(query, 60), extract(epoch from now() - xact_start),
    (pid, xact_start)::text
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and backend_type = 'client backend'
  and backend_xmin is not null and age(backend_xmin) > age(%s::xid) and xact_start < %s
order by xact_start
"""
# Others' snapshots are hidden from a user without pg_read_all_stats, but not that they are in a
# transaction. When all have ended that are open now, no old snapshot is left.
SEES_SNAPSHOTS = "select pg_has_role('pg_read_all_stats', 'usage')"
OPEN_TRANSACTIONS = """
select a.pid, a.usename, left(a.query, 60), extract(epoch from now() - a.xact_start),
    l.virtualtransaction
from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.granted and l.pid <> pg_backend_pid()
  and a.datname = current_database() and a.usesysid is not null -- no autovacuum
"""
BLOCKERS = """
select distinct a.pid, a.usename, left(a.query, 60), extract(epoch from now() - a.xact_start)
from pg_locks as l join pg_class as c on c.oid = l.relation
join pg_namespace as n on n.oid = c.relnamespace
join pg_stat_activity as a on a.pid = l.pid
where n.nspname = %s and l.granted and l.pid <> pg_backend_pid()
"""


def pauses() -> Iterator[float]:
    """Seconds between two looks at those whom we wait for: quick at first, then kinder."""
    pause = 0.02
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


def wait_for_old_snapshots(
    cursor: "cursor", version: Version, deadline: float, tell: Callable[[str], None]
) -> None:
    """Wait until nobody is left to whom the tables of this version would seem empty.

    Raises:
        PublishBlocked: somebody is, at the deadline (of time.monotonic).
    """
    if version.built_xid is None or version.published_at:
        return  # its rows are old: found by Écluse, or waited for when it was published
    cursor.execute(SEES_SNAPSHOTS)
    look = _old_snapshots if cursor.fetchone() == (True,) else _open_transactions
    old, quiet_until = look(cursor, version), time.monotonic() + QUIET
    for pause in pauses():
        if not old:
            return
        if time.monotonic() > deadline:
            raise blocked([row[:4] for row in old], version)
        if time.monotonic() > quiet_until:
            tell(WAITS.format(who([row[:4] for row in old])))
            quiet_until = deadline
        time.sleep(pause)
        still = {transaction for *_, transaction in look(cursor, version)}
        old = [row for row in old if row[-1] in still]


def _old_snapshots(cursor: "cursor", version: Version) -> list[Any]:
    cursor.execute(OLD_SNAPSHOTS, (version.built_xid, version.tested_at))
    return cursor.fetchall()


def _open_transactions(cursor: "cursor", _: Version) -> list[Any]:
    cursor.execute(OPEN_TRANSACTIONS)
    return cursor.fetchall()


def blockers(cursor: "cursor", schema: str) -> list[Holder]:
    """Sessions that hold a lock on something in the schema."""
    cursor.execute(BLOCKERS, (schema,))
    return [(pid, user, query, age) for pid, user, query, age in cursor.fetchall()]


def blocked(holders: list[Holder], version: Version) -> PublishBlocked:
    """The sentence for a switch that was given up."""
    again = (
        f"publish them alone with `.venv/bin/ecluse publish {version.run_id}`"
        if version.published_at is None
        else "try again"
    )
    return PublishBlocked(
        f"The marts were not switched to version {version.number}: readers still hold the old "
        f"ones: {who(holders)}. Nothing has changed for anybody. When those transactions have "
        f"ended, {again}."
    )


def who(holders: list[Holder]) -> str:
    """Who holds something, for how long, and doing what."""
    said = (f"pid {pid} ({user}{_doing(query, age)}" for pid, user, query, age in holders)
    return "; ".join(said) or "a reader that has just gone"


def _doing(query: str, age: float | None) -> str:
    """Since when and what; hidden from a user without pg_read_all_stats where it is not his own."""
    if query == HIDDEN:
        return ", whose query only pg_read_all_stats would let us see)"
    return f", for {age or 0:.0f} s): {query}"
