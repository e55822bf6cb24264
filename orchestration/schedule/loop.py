"""The scheduler: looks what is due, runs one thing at a time, outlives what it runs."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from orchestration import ops
from orchestration.errors import WarehouseUnreachable
from orchestration.faults import passing_fault
from orchestration.schedule import missed, slots
from orchestration.schedule.plan import SKIP, WAIT, Plan
from orchestration.schedule.slots import Slot

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.warehouse import Warehouse

NAME = "ecluse schedule "  # before our host and process, in pg_stat_activity
PULSE = 1.0  # seconds: how long a signal, the end of a run or a slot of another one may go unseen
LONGEST_PAUSE = 60.0  # seconds between two tries to reach Postgres
UNWELL = 2 * LONGEST_PAUSE
FUTURE = timedelta(days=1)  # a last slot farther ahead was made by a clock that was wrong
STOPPING = "stopping: run {} may end first; the same signal again interrupts it"


class Run(Protocol):
    """A run that was started."""

    def poll(self) -> int | None:
        """Its exit code; None while it goes."""

    def interrupt(self) -> None:
        """Ask it to end now; it keeps its record."""


class Clock:
    """The time, and waiting for it; what tests put another in the place of."""

    def __init__(self) -> None:
        """Nothing has rung yet."""
        self.bell = threading.Event()

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)

    def ticks(self) -> float:
        """Seconds of a clock that nobody sets."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait so long, or a pulse if that is shorter, or until the bell is set."""
        self.bell.wait(min(max(seconds, 0.0), PULSE))
        self.bell.clear()


class Scheduler:
    """One process that starts runs; there may be several on one warehouse."""

    def __init__(
        self,
        plan: Plan,
        connect: "Callable[[], Warehouse]",
        start: Callable[[str, bool], Run],
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """Be ready.

        Args:
            plan: what is due when.
            connect: makes sure that the warehouse answers, and says where it is.
            start: starts a run of this id, which waits for another one or not.
            clock: the time.
            say: gets a sentence about all that happens.
        """
        self.plan, self.connect, self.start, self.clock, self.say = plan, connect, start, clock, say
        self.me = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self.signals = 0  # how often we were asked to stop
        self.obeyed = 0
        self.slot: Slot | None = None
        self.run: Run | None = None
        self.lost_for = 0  # how often Postgres was tried in vain
        self.seen_at: float | None = None  # when Postgres answered last, in ticks
        self._session: connection | None = None
        self._warehouse: Warehouse | None = None
        self._new = True
        self._retry_at = 0.0
        self._last: datetime | None = None  # the slots by the clock
        self._next: datetime | None = None
        self._looked_at: datetime | None = None

    def work(self) -> None:
        """Look, run and wait until asked to stop; a run that is at work then ends first.

        Raises:
            EcluseError: what no waiting mends, such as a missing right.
        """
        try:
            while not (self.signals and self.slot is None):
                self.clock.wait(self._turn())
                self._obey()
        finally:
            if self._session:
                self._session.close()

    def is_well(self) -> bool:
        """Whether Postgres has answered of late."""
        return self.seen_at is not None and self.clock.ticks() - self.seen_at < UNWELL

    def _turn(self) -> float:
        """One look at everything; how long nothing will happen."""
        import psycopg2

        if self._session is None and (pause := self._retry_at - self.clock.ticks()) > 0:
            return pause
        try:
            if self._session is None:
                self._connect()
            assert self._session and self._warehouse  # noqa: S101 - for the type checker
            lost = self._session
            with self._warehouse.explained(lambda: bool(lost.closed)):
                pause = self._look(lost)
        except (WarehouseUnreachable, psycopg2.Error) as error:
            if not isinstance(error, WarehouseUnreachable) and passing_fault(error) is None:
                raise
            return self._lose(str(error).splitlines()[0])
        self.lost_for, self.seen_at = 0, self.clock.ticks()
        return pause

    def _connect(self) -> None:
        self._warehouse = self.connect()
        self._session = self._warehouse.connect(NAME + self.me)
        if self.lost_for:
            self.say("the warehouse answers again")
        ops.create_tables(self._session)
        if self.slot:
            with self._session.cursor() as cursor:
                slots.hold(cursor, self.slot.id)

    def _lose(self, why: str) -> float:
        """Postgres does not answer: try again later and later, up to once a minute."""
        import psycopg2

        with suppress(psycopg2.Error):
            if self._session:
                self._session.close()
        self._session = None
        if not self.lost_for:
            self.say(f"the warehouse is away and tried again, each minute in the end: {why}")
        pause = min(2.0**self.lost_for, LONGEST_PAUSE)
        self._retry_at = self.clock.ticks() + pause
        self.lost_for += 1
        if self.signals and self.slot and self.run and self.run.poll() is not None:
            self.say(f"how run {self.slot.run_id} ended is for the next scheduler to write down")
            self.slot = None
        return pause

    def _look(self, session: "connection") -> float:
        now = self.clock.now()
        self._end_run(session, now)
        if self.signals:
            return PULSE
        self._add_due(session, now)
        if self.slot:
            return PULSE
        for sentence in slots.settle(session, now, self.plan.retries):
            self.say(sentence)
        waits = slots.next_wait(session, now)
        if waits is not None and waits <= timedelta():
            self._begin_run(session, now)
            return PULSE
        by_clock = self._next - now if self._next else None
        found = [each for each in (waits, by_clock) if each is not None]
        return min(found).total_seconds() if found else PULSE

    def _add_due(self, session: "connection", now: datetime) -> None:
        """Put what came due since the last look into the queue."""
        schedule = self.plan.schedule
        if self._looked_at and now < self._looked_at:
            self._next = None  # somebody has set the clock back
        self._looked_at = now
        if schedule is None or (self._next and now < self._next):
            return
        with slots.queue(session) as cursor:
            last = slots.last_slot(cursor, str(schedule)) or self._last or now
            if last - now > FUTURE:
                self.say(f"the last slot, {schedule.local(last)}, is to come: a clock was wrong; "
                         "the schedule begins anew")  # fmt: skip
                last = now
            policy, target = self.plan.missed, self._warehouse
            for due in missed.decide(schedule, last, now, policy, self.plan.max_age):
                jitter = self.plan.jitter.total_seconds()
                begin = due.slot + missed.jitter(due.slot, str(target), jitter)
                local, last = schedule.local(due.slot), due.slot
                skip, together = self.plan.busy == SKIP, policy != missed.ALL
                status, note = slots.add_due(cursor, due, local, begin, skip, together)
                if status != slots.WAITING:
                    self.say(f"slot of {local} {status}: {note}")
            slots.keep(cursor, slots.CLOCK, str(schedule), last)
        self._last, self._next = last, next(schedule.after(max(last, now)))

    def _begin_run(self, session: "connection", now: datetime) -> None:
        fresh = self._new and self.plan.missed == missed.SKIP
        self._new = False
        max_age = missed.GRACE if fresh else self.plan.max_age
        self.slot = slot = slots.claim(session, now, self.me, max_age)
        if slot:
            attempt = f", attempt {slot.attempts}" if slot.attempts > 1 else ""
            self.say(f"run {slot.run_id} for {slot.cause}, due {slot.local_time}{attempt}")
            # who calls has news that the run at work may have been too early for
            wait = self.plan.busy == WAIT or slot.cause != slots.CLOCK
            self.run = self.start(slot.run_id, wait)

    def _end_run(self, session: "connection", now: datetime) -> None:
        if self.slot is None or self.run is None or (code := self.run.poll()) is None:
            return
        retries = 0 if self.signals > 1 else self.plan.retries  # whoever interrupts it wants an end
        status, again = slots.end(session, self.slot, code, now, retries)
        then = f"; tried again at {again:%H:%M:%S} UTC" if again else ""
        self.say(f"run {self.slot.run_id} {'broke' if again else status}, exit code {code}{then}")
        self.slot = self.run = None

    def _obey(self) -> None:
        """Do what the signals since the last look ask for."""
        if self.obeyed == self.signals:
            return
        if self.run and self.slot:
            if self.signals == 1:
                self.say(STOPPING.format(self.slot.run_id))
            else:
                self.say(f"interrupting run {self.slot.run_id}")
                self.run.interrupt()
        self.obeyed = self.signals
