"""What becomes of slots that came due: run, or missed, by policy."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from orchestration.schedule.cron import Schedule

ONCE, ALL, SKIP = POLICIES = ("once", "all", "skip")
GRACE = timedelta(minutes=1)  # later than that, a slot was missed
MOST_TOLD = 1000  # slots too old to run are counted up to this


@dataclass(frozen=True)
class Due:
    """A slot that came due, whether it is to run, and what to say of those it stands for."""

    slot: datetime
    runs: bool
    note: str | None = None


def decide(
    schedule: Schedule, last: datetime, now: datetime, policy: str, max_age: timedelta
) -> list[Due]:
    """What becomes of the slots after `last` up to `now`.

    Args:
        schedule: whose slots.
        last: the last slot that was decided on.
        now: this moment.
        policy: `once`, one run for all of them; `all`, one for each; `skip`, none that is late.
        max_age: how old a slot may be to run; with `skip` a minute.
    """
    oldest = now - (GRACE if policy == SKIP else max_age)
    old = list(islice(_between(schedule, last, min(oldest, now)), MOST_TOLD))
    young = list(_between(schedule, max(last, oldest), now))
    if not old and not young:
        return []
    running = young if policy == ALL else young[-1:]
    left = [slot for slot in old + young if slot not in running]
    since = f" since {schedule.local(left[0])}" if left else ""
    count = f"{len(left)}{' or more' if len(old) == MOST_TOLD else ''}"
    if not running:
        return [Due(left[-1], False, f"{count} missed{since}")]
    notes = [f"stands for {count} missed{since}" if left else None, *[None] * len(running)]
    return [Due(slot, True, note) for slot, note in zip(running, notes, strict=False)]


def jitter(slot: datetime, target: str, most: float) -> timedelta:
    """How long after `slot` a run begins: up to `most` seconds, the same whoever asks."""
    drawn = hashlib.sha256(f"{slot.timestamp():.0f} {target}".encode()).digest()[:8]
    return timedelta(seconds=round(most * int.from_bytes(drawn) / 2**64, 3))


def _between(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    return takewhile(lambda slot: slot <= end, schedule.after(start))
