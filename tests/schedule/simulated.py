"""A scheduler on a real Postgres whose clock and runs are made up: a year in seconds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.schedule.cron import parse_schedule
from orchestration.schedule.loop import Clock, Scheduler
from orchestration.schedule.plan import Plan
from orchestration.warehouse import Warehouse
from tests.databases import query


class Killed(BaseException):
    """The process is gone: no code of it runs any more."""


def at(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def half_a_minute_passes(warehouse: Warehouse) -> None:
    """On the clock of Postgres, since the last claim."""
    query(warehouse, "update ops.slots set claimed_at = claimed_at - interval '31 s' returning 1")


class SimulatedClock(Clock):
    """Time passes only while somebody waits."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.instant, self.elapsed = now, 0.0
        self.at: dict[datetime, Callable[[], None]] = {}  # what happens when

    def now(self) -> datetime:
        return self.instant

    def ticks(self) -> float:
        return self.elapsed

    def wait(self, seconds: float) -> None:
        # a look each second changes nothing but the time that the test takes
        pause = max(seconds, 60.0) if seconds == 1.0 else max(seconds, 0.001)
        if self.at:  # nobody sleeps through what happens meanwhile
            pause = max(0.001, min(pause, (min(self.at) - self.instant).total_seconds()))
        self.elapsed += pause
        self.instant += timedelta(seconds=pause)
        for moment in sorted(each for each in self.at if each <= self.instant):
            self.at.pop(moment)()


class SimulatedRun:
    """A run that takes some time and ends with a code."""

    def __init__(self, clock: Clock, ends: datetime, code: int) -> None:
        self.clock, self.ends, self.code = clock, ends, code

    def poll(self) -> int | None:
        return self.code if self.clock.now() >= self.ends else None

    def interrupt(self) -> None:
        self.ends, self.code = self.clock.now(), 143


class Simulation:
    """One scheduler; `codes` are the exit codes of its runs, 0 for all after them."""

    def __init__(
        self,
        warehouse: Warehouse,
        cron: str,
        zone: str = "UTC",
        clock: SimulatedClock | None = None,
        **plan: Any,
    ) -> None:
        self.schedule = parse_schedule(cron.split(";"), zone)
        self.clock = clock or SimulatedClock(at("2026-01-01"))
        self.takes, self.codes = timedelta(minutes=2), list[int]()
        self.started: list[datetime] = []
        self.waits: list[bool] = []
        self.said: list[str] = []
        self.warehouse = warehouse
        self.scheduler = Scheduler(
            Plan(self.schedule, **plan), lambda: self.warehouse, self.start, self.clock,
            self.said.append,
        )  # fmt: skip

    def start(self, run_id: str, wait: bool) -> SimulatedRun:
        self.started.append(self.clock.now())
        self.waits.append(wait)
        code = self.codes.pop(0) if self.codes else 0
        return SimulatedRun(self.clock, self.clock.now() + self.takes, code)

    def until(self, text: str) -> "Simulation":
        """Work until then, stop in peace."""
        self.clock.at[at(text)] = self.stop
        self.scheduler.work()
        return self

    def stop(self) -> None:
        """The signal."""
        self.scheduler.signals += 1

    def local_starts(self) -> list[str]:
        """When runs began, on the clocks of the zone, to the minute."""
        return [f"{each.astimezone(self.schedule.zone):%m-%d %H:%M}" for each in self.started]

    def slots(self, columns: str = "status") -> list[tuple]:
        """What is in the table, in order."""
        return query(self.warehouse, f"select {columns} from ops.slots order by due_at, id")
