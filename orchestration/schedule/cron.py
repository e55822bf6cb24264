"""When a cron expression is due, as instants of UTC, also on the days when clocks change.

cronsim finds the local times; which instants they are is decided here, as Debian's cron does. A
time of day that is skipped is made up for at the end of the gap, one that comes twice counts the
first time. With a `*` before minute or hour the expression means an interval, which knows no gaps:
what is skipped is not made up for, and what comes twice counts twice.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from orchestration.errors import ConfigurationError

MINUTE = timedelta(minutes=1)
CHANGE = timedelta(hours=3)  # more than any clock changes by
FIELDS = 5


@dataclass(frozen=True)
class Schedule:
    """Cron expressions and the zone whose clocks they mean."""

    expressions: tuple[str, ...]
    zone: ZoneInfo

    def __str__(self) -> str:
        """For people, and to know it again."""
        return f"{'; '.join(self.expressions)} in {self.zone.key}"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The slots after `moment`, in order, each once; without end."""
        last = moment
        every = (_instants(each, self.zone, moment) for each in self.expressions)
        for slot in heapq.merge(*every):
            if slot > last:
                last = slot
                yield slot

    def local(self, slot: datetime) -> str:
        """A slot as the clocks there show it: 2026-10-25 02:30 CEST."""
        return f"{slot.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"


def parse_schedule(expressions: Iterable[str], zone: str) -> Schedule:
    """Cron expressions of five fields: minute, hour, day of month, month, weekday (0 is Sunday).

    Raises:
        ConfigurationError: one of them, or the zone, cannot be read, or is never due.
    """
    try:
        schedule = Schedule(tuple(" ".join(each.split()) for each in expressions), ZoneInfo(zone))
    except (ValueError, OSError, LookupError) as error:
        raise ConfigurationError(
            f"There is no time zone {zone!r}: give a name such as Europe/Berlin or UTC."
        ) from error
    for each in schedule.expressions:
        try:
            if len(each.split()) != FIELDS:
                raise CronSimError(f"{len(each.split())} fields, not five")
            next(CronSim(each, datetime.now()))
        except (CronSimError, StopIteration) as error:
            raise ConfigurationError(
                f"{each!r} is no cron expression ({error or 'it is never due'}): give minute, "
                "hour, day of month, month and weekday, such as '30 2 * * *' or '0 8 * * 1-5'."
            ) from error
    return schedule


def _instants(expression: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """Instants in order, beginning somewhat before `moment`; some may come twice."""
    interval = any(field.startswith("*") for field in expression.split()[:2])
    waiting: list[datetime] = []
    for local in CronSim(expression, moment.astimezone(zone).replace(tzinfo=None) - CHANGE):
        # the second 02:45 comes after the second 02:30, which cronsim's local times do not know of
        while waiting and waiting[0] < _utc(local, zone) - CHANGE:
            yield heapq.heappop(waiting)
        for instant in _meant(local, zone, interval):
            heapq.heappush(waiting, instant)
    yield from sorted(waiting)


def _meant(local: datetime, zone: ZoneInfo, interval: bool) -> list[datetime]:
    """The instants that a local time means: one or two, or none if it is skipped."""
    first, second = _utc(local, zone), _utc(local.replace(fold=1), zone)
    if _local(first, zone) == local:
        return [first, second] if interval and second != first else [first]
    if interval:
        return []
    while _local(_utc(local, zone), zone) != local:
        local += MINUTE
    return [_utc(local, zone)]


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
