"""One run at a time for each warehouse: a Postgres advisory lock on a connection of its own.

The server frees the lock the moment the connection is gone, also after a kill -9 of the holder,
so there is no stale lock to clear away. The holder's run id is its application name.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from orchestration.errors import RunLocked
from orchestration.warehouse import Warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

KEY = 0x45434C53  # "ECLS"; advisory locks are counted for each database
NAME = "ecluse run "
HOLDER = """
select a.application_name, a.pid, to_char(a.backend_start at time zone 'utc', 'HH24:MI:SS'),
       extract(epoch from now() - a.backend_start)
from pg_locks as l join pg_stat_activity as a using (pid)
where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = %s
  and l.database = (select oid from pg_database where datname = current_database())
"""


@contextmanager
def run_lock(
    warehouse: Warehouse, run_id: str, wait: float = 0.0, tell: Callable[[str], None] = print
) -> Iterator["connection"]:
    """`take_lock`, and give it back at the end; what Postgres refuses becomes a sentence."""
    session = take_lock(warehouse, run_id, wait, tell)
    try:
        with warehouse.explained(lambda: bool(session.closed)):
            yield session
    finally:
        give_back(session)


def give_back(session: "connection") -> None:
    """Close the connection that holds the lock.

    The lock is free when this returns. Closing alone would free it a moment later, when the server
    notices, and a run that follows at once would find it taken.
    """
    import psycopg2

    with suppress(psycopg2.Error), session.cursor() as cursor:
        cursor.execute("rollback; select pg_advisory_unlock_all()")
    session.close()


def take_lock(
    warehouse: Warehouse, run_id: str, wait: float = 0.0, tell: Callable[[str], None] = print
) -> "connection":
    """Take the run lock and return the connection that holds it for as long as it is open.

    Args:
        warehouse: whose lock it is.
        run_id: shown to whoever finds the lock taken.
        wait: seconds to wait for another run; 0 gives up at once.
        tell: gets the sentence about who is waited for.

    Raises:
        RunLocked: another run holds the lock, or still does after `wait`.
    """
    deadline = time.monotonic() + wait
    told = False
    session = warehouse.connect(NAME + run_id)
    try:
        while not _taken(session):
            holder = describe_holder(session)
            if time.monotonic() >= deadline:
                hint = "" if wait else " Use --wait to wait for it."
                raise RunLocked(f"Another run is at work: {holder}.{hint}")
            if not told:
                tell(f"waiting for {holder}")
                told = True
            time.sleep(0.5)
    except BaseException:
        session.close()
        raise
    return session


def describe_holder(session: "connection") -> str | None:
    """Who holds the lock and since when; None when nobody does."""
    with session.cursor() as cursor:
        cursor.execute(HOLDER, (KEY,))
        found = cursor.fetchone()
    if not found:
        return None
    name, pid, since, age = found
    # when another login's session began is hidden from a user without pg_read_all_stats
    when = f", since {since} UTC, {age:.0f} s" if since else ""
    return f"run {name.removeprefix(NAME)} (server process {pid}{when})"


def _taken(session: "connection") -> bool:
    with session.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (KEY,))
        return bool((cursor.fetchone() or (False,))[0])
