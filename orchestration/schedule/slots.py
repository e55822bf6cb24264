"""The slots in Postgres: each is run by one scheduler, however many there are and whoever dies.

A slot waits, is claimed, and ends. Whoever claimed it holds an advisory lock of its number for as
long as its session lives, so a dead claimer is known at once and by no clock. All that changes the
queue takes one other lock first.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration import lock
from orchestration.errors import BAD_DATA, BROKEN, LOCKED, OK
from orchestration.ops import rows_of, transaction
from orchestration.records import new_run_id
from orchestration.schedule.missed import Due

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

QUEUE = 0x45434C54  # the lock of the whole queue; those of single slots have it before their number
WAITING, RUNNING, PASSED, REJECTED = "waiting", "running", "passed", "rejected"
BROKE, SKIPPED, MISSED = "broke", "skipped", "missed"
STOPPED = {128 + each: "interrupted" for each in (signal.SIGINT, signal.SIGTERM)}
OUTCOMES = {OK: PASSED, BAD_DATA: REJECTED, LOCKED: SKIPPED, **STOPPED}
CLOCK = "schedule"  # the cause of slots that come by the clock
UNHEARD = timedelta(seconds=30)  # a run that was just started is not seen in Postgres yet
BACK_OFF, LONGEST = timedelta(minutes=1), timedelta(minutes=30)

KEEP = """
insert into ops.triggers (name, state, at) values (%s, %s, %s)
on conflict (name) do update set state = excluded.state, at = excluded.at, problem = null
"""
ADD = """
insert into ops.slots (cause, due_at, local_time, not_before, status, run_ids, note)
values (%(cause)s, %(due)s, %(local)s, %(begin)s, %(status)s, %(run_ids)s, %(note)s)
on conflict (cause, due_at) do nothing
"""
# a slot by the clock does the work of an earlier one that still waits
TAKE_OVER = """
update ops.slots set note = concat_ws('; ', note, 'its work is done by the slot of ' || %(local)s),
    status = case when attempts > 0 then 'broke' else 'missed' end
where cause = 'schedule' and status = 'waiting' and due_at < %(due)s
"""
EXPIRE = """
update ops.slots set status = 'missed', note = concat_ws('; ', note, 'it waited for too long')
where cause = 'schedule' and status = 'waiting' and not_before < %s
"""
CLAIM = """
update ops.slots set status = 'running', claimed_by = %(by)s, claimed_at = clock_timestamp(),
    begun_at = %(now)s, attempts = attempts + 1,
    run_ids = case when cardinality(run_ids) > attempts then run_ids
                   else run_ids || %(run)s::text end
where id = (select id from ops.slots where status = 'waiting' and not_before <= %(now)s
              and not exists (select from ops.slots where status = 'running')
            order by not_before, id limit 1)
returning id, cause, due_at, local_time, attempts, run_ids
"""
END = """
update ops.slots set status = %(status)s, exit_code = %(code)s, ended_at = %(now)s,
    not_before = coalesce(%(again)s, not_before), note = coalesce(%(note)s, note)
where id = %(id)s and status = 'running'
"""
LEFT = """
select id, cause, due_at, local_time, attempts, run_ids, claimed_by from ops.slots
where status = 'running' and claimed_at < clock_timestamp() - %s
"""
NEXT = "select min(not_before) - %s from ops.slots where status = 'waiting'"
ALIVE = """
select from pg_stat_activity where datname = current_database() and application_name = %s
"""


@dataclass(frozen=True)
class Slot:
    """A slot that was claimed."""

    id: int
    cause: str
    due_at: datetime
    local_time: str
    attempts: int
    run_ids: list[str]

    @property
    def run_id(self) -> str:
        """The run of the newest attempt."""
        return self.run_ids[-1]


@contextmanager
def queue(session: "connection") -> Iterator["cursor"]:
    """A transaction that alone changes the queue."""
    with transaction(session) as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (QUEUE,))
        yield cursor


def last_slot(cursor: "cursor", schedule: str) -> datetime | None:
    """The slot that was decided on last, if it was one of `schedule`."""
    cursor.execute("select at from ops.triggers where name = %s and state = %s", (CLOCK, schedule))
    return (cursor.fetchone() or (None,))[0]


def keep(cursor: "cursor", name: str, state: str, at: datetime) -> None:
    """Remember what was seen last of a trigger."""
    cursor.execute(KEEP, (name, state, at))


def add_due(
    cursor: "cursor", due: Due, local: str, begin: datetime, skip_if_busy: bool, together: bool
) -> tuple[str, str | None]:
    """Put a slot by the clock into the queue.

    Args:
        cursor: of `queue`.
        due: the slot and what was decided.
        local: its time on the clocks of its zone.
        begin: when its run may begin.
        skip_if_busy: it does not wait for a run that is at work.
        together: a slot that still waits is done with this one.

    Returns:
        The status of the slot, and the note to it.
    """
    status, note = WAITING if due.runs else MISSED, due.note
    if due.runs and skip_if_busy and _is_running(cursor):
        status, note = SKIPPED, "a run was at work"
    row = {"cause": CLOCK, "due": due.slot, "local": local, "begin": begin, "status": status,
           "run_ids": [], "note": note}  # fmt: skip
    cursor.execute(ADD, row)
    if together and status == WAITING and cursor.rowcount:
        cursor.execute(TAKE_OVER, row)
    return status, note


def add_trigger(cursor: "cursor", cause: str, now: datetime) -> tuple[str, bool]:
    """Ask for a run now; who asks while one waits to begin is given that one.

    Returns:
        The run's id, and whether it waited already.
    """
    cursor.execute("select run_ids from ops.slots where cause <> %s and status = %s and "
                   "attempts = 0", (CLOCK, WAITING))  # fmt: skip
    if found := cursor.fetchone():
        return found[0][-1], True
    run_id = new_run_id()
    local = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    cursor.execute(ADD, {"cause": cause, "due": now, "local": local, "begin": now,
                         "status": WAITING, "run_ids": [run_id], "note": None})  # fmt: skip
    return run_id, False


def claim(session: "connection", now: datetime, by: str, max_age: timedelta) -> Slot | None:
    """The next slot whose time has come, for us alone; None while any run of a slot is at work."""
    with queue(session) as cursor:
        cursor.execute(EXPIRE, (now - max_age,))
        cursor.execute(CLAIM, {"by": by, "now": now, "run": new_run_id()})
        found = cursor.fetchone()
        if found is None:
            return None
        slot = Slot(*found)
        hold(cursor, slot.id)
        return slot


def hold(cursor: "cursor", number: int) -> bool:
    """Take the lock of a slot for this session; False when another session has it."""
    cursor.execute("select pg_try_advisory_lock(%s, %s)", (QUEUE, number))
    return bool((cursor.fetchone() or (False,))[0])


def end(
    session: "connection", slot: Slot, code: int | None, now: datetime, retries: int,
    note: str | None = None,
) -> tuple[str, datetime | None]:  # fmt: skip
    """Write down how the run of a slot ended: with an exit code, or None when it was lost.

    A run that broke, was killed or was lost is tried again, up to `retries` times.

    Returns:
        The outcome, and when it is tried again.
    """
    again = None
    if (code is None or code < 0 or code == BROKEN) and slot.attempts <= retries:
        again = now + min(BACK_OFF * 2 ** (slot.attempts - 1), LONGEST)
    status = WAITING if again else OUTCOMES.get(BROKEN if code is None else code, BROKE)
    with queue(session) as cursor:
        cursor.execute(END, {"status": status, "code": code, "now": now, "again": again,
                             "note": note, "id": slot.id})  # fmt: skip
        cursor.execute("select pg_advisory_unlock(%s, %s)", (QUEUE, slot.id))
    return status, again


def settle(session: "connection", now: datetime, retries: int) -> list[str]:
    """End the slots whose scheduler died; a run that outlived it is left to end by itself.

    A slot whose run was lost is due again at once, one time more than `retries`: what killed the
    scheduler need not have been the run.

    Returns:
        A sentence for each slot that ended or is due again.
    """
    said = []
    with session.cursor() as cursor:
        cursor.execute(LEFT, (UNHEARD,))
        for *row, by in cursor.fetchall():
            slot = Slot(*row)
            if not hold(cursor, slot.id):
                continue
            code, alive = _fate(cursor, slot.run_id)
            if alive:
                cursor.execute("select pg_advisory_unlock(%s, %s)", (QUEUE, slot.id))
                continue
            what = f"the scheduler {by} ended before its run {slot.run_id}"
            status, again = end(session, slot, code, now, retries + (code is None), what)
            then = "it is due again" if again else f"it {status}"
            said.append(f"slot of {slot.local_time}: {what}; {then}")
    return said


def next_wait(session: "connection", now: datetime) -> timedelta | None:
    """How long until a waiting slot may begin; None when none waits."""
    with session.cursor() as cursor:
        cursor.execute(
            "select min(not_before) - %s from ops.slots where status = 'waiting'", (now,)
        )
        return (cursor.fetchone() or (None,))[0]


def listed(cursor: "cursor", last: int) -> list[dict[str, Any]]:
    """The last slots, newest first."""
    cursor.execute("select cause, due_at, local_time, not_before, status, begun_at, ended_at, "
                   "exit_code, attempts, run_ids, claimed_by, note from ops.slots "
                   "order by due_at desc, id desc limit %s", (last,))  # fmt: skip
    return rows_of(cursor)


def of_run(cursor: "cursor", run_id: str) -> dict[str, Any] | None:
    """The slot that a run was made for."""
    cursor.execute("select cause, due_at, status, begun_at, ended_at, exit_code, attempts, run_ids "
                   "from ops.slots where %s = any(run_ids)", (run_id,))  # fmt: skip
    return next(iter(rows_of(cursor)), None)


def _is_running(cursor: "cursor") -> bool:
    cursor.execute("select from ops.slots where status = %s", (RUNNING,))
    return bool(cursor.rowcount)


def _fate(cursor: "cursor", run_id: str) -> tuple[int | None, bool]:
    """The exit code of a run, if it could say one, and whether it is still at work."""
    cursor.execute("select exit_code from ops.runs where run_id = %s", (run_id,))
    code = (cursor.fetchone() or (None,))[0]
    cursor.execute(ALIVE, (lock.NAME + run_id,))
    return code, bool(cursor.rowcount)
