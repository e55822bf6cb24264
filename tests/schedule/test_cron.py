"""When an expression is due: on both change days, in three zones, from wherever one asks."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from orchestration.errors import ConfigurationError
from orchestration.schedule.cron import parse_schedule
from tests.schedule.simulated import at

# each zone's days of change: clocks forward, clocks back
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
}
EXPRESSIONS = (
    "30 2 * * *", "*/15 * * * *", "0 0 * * 1", "15 2 * * *", "45 1 * * *", "0,30 1-3 * * *",
    "0 */2 * * *", "* 2 * * *", "5 * * * *", "0 0 1 * *", "59 23 * * 6",
)  # fmt: skip


def slots(expression: str, zone: str, day: str, days: int = 1) -> list[str]:
    """The slots of a local day, as its clocks show them."""
    schedule = parse_schedule([expression], zone)
    start = datetime.fromisoformat(day).replace(tzinfo=schedule.zone)
    end = (start.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=schedule.zone)
    found = schedule.after(start.astimezone(UTC) - timedelta(seconds=1))
    return [schedule.local(slot)[11:] for slot in takewhile(lambda slot: slot < end, found)]


@pytest.mark.parametrize(
    ("expression", "zone", "forward", "back"),
    [
        ("30 2 * * *", "Europe/Berlin", ["03:00 CEST"], ["02:30 CEST"]),
        ("30 2 * * *", "America/New_York", ["03:00 EDT"], ["02:30 EST"]),
        ("30 1 * * *", "America/New_York", ["01:30 EST"], ["01:30 EDT"]),
        ("30 2 * * *", "Australia/Lord_Howe", ["02:30 +11"], ["02:30 +1030"]),
        ("15 2 * * *", "Australia/Lord_Howe", ["02:30 +11"], ["02:15 +1030"]),
        ("45 1 * * *", "Australia/Lord_Howe", ["01:45 +1030"], ["01:45 +11"]),
        ("0 */2 * * *", "Australia/Lord_Howe",
         ["00:00 +1030", *[f"{h:02}:00 +11" for h in range(4, 24, 2)]],
         ["00:00 +11", *[f"{h:02}:00 +1030" for h in range(2, 24, 2)]]),
    ],
)  # fmt: skip
def test_a_time_of_day_comes_once_on_both_days(
    expression: str, zone: str, forward: list[str], back: list[str]
) -> None:
    assert slots(expression, zone, CHANGES[zone][0]) == forward
    assert slots(expression, zone, CHANGES[zone][1]) == back


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [("Europe/Berlin", 92, 100), ("America/New_York", 92, 100), ("Australia/Lord_Howe", 94, 98)],
)
def test_every_quarter_of_an_hour_is_an_interval(zone: str, forward: int, back: int) -> None:
    for day, count in zip(CHANGES[zone], (forward, back), strict=True):
        assert len(slots("*/15 * * * *", zone, day)) == count
        schedule = parse_schedule(["*/15 * * * *"], zone)
        found = list(islice(schedule.after(at(day) - timedelta(days=1)), 300))
        steps = {b - a for a, b in pairwise(found)}
        assert steps == {timedelta(minutes=15)}


def test_a_weekday_is_the_weekday_that_cron_means() -> None:
    schedule = parse_schedule(["0 0 * * 1"], "Europe/Berlin")
    found = [
        each.astimezone(schedule.zone) for each in islice(schedule.after(at("2026-01-01")), 60)
    ]
    assert {f"{each:%A %H:%M}" for each in found} == {"Monday 00:00"}
    assert {b.date() - a.date() for a, b in pairwise(found)} == {timedelta(days=7)}


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_walk_minute_by_minute_finds_the_same_and_asking_anew_too(
    expression: str, zone: str
) -> None:
    schedule = parse_schedule([expression], zone)
    for day in CHANGES[zone]:
        start, end = at(day) - timedelta(hours=14), at(day) + timedelta(hours=12)
        found = list(takewhile(lambda slot, end=end: slot <= end, schedule.after(start)))
        assert found == walk(expression, schedule.zone, start, end)
        for minutes in range(0, 26 * 60, 73):  # a restart at any moment
            moment = start + timedelta(minutes=minutes, seconds=13)
            later = [slot for slot in found if slot > moment]
            assert next(schedule.after(moment)) == later[0] if later else True


def walk(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Every minute that there is is asked, and every one that there is not."""
    sim = CronSim(expression, start)
    interval = any(field.startswith("*") for field in expression.split()[:2])
    found, moment = set(), start - timedelta(hours=1)
    seen: set[datetime] = set()  # local times of the past hours
    while moment <= end:
        local = moment.astimezone(zone).replace(tzinfo=None)
        before = (moment - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
        gap = int((local - before) / timedelta(minutes=1)) if not interval else 1
        skipped = [before + timedelta(minutes=n) for n in range(1, gap)]
        again = local in seen and not interval
        if any(_matches(sim, each) for each in [*skipped, *([] if again else [local])]):
            found.add(moment)
        seen.add(local)
        moment += timedelta(minutes=1)
    return sorted(each for each in found if start < each <= end)


def _matches(sim: CronSim, local: datetime) -> bool:
    return (local.minute in sim.minutes and local.hour in sim.hours
            and local.month in sim.months and sim.match_day(local.date()))  # fmt: skip


def test_of_several_expressions_a_moment_that_both_mean_comes_once() -> None:
    schedule = parse_schedule(["0 8 * * *", "0 */8 * * *"], "UTC")
    found = [f"{each:%H:%M}" for each in islice(schedule.after(at("2026-05-01")), 5)]
    assert found == ["08:00", "16:00", "00:00", "08:00", "16:00"]


@pytest.mark.parametrize(
    ("expression", "zone", "says"),
    [
        ("30 2 * *", "UTC", "4 fields, not five"),
        ("30 25 * * *", "UTC", "Bad hour"),
        ("0 30 2 * * *", "UTC", "6 fields, not five"),
        ("0 0 30 2 *", "UTC", "Bad day-of-month"),
        ("nightly", "UTC", "'nightly' is no cron expression"),
        ("30 2 * * *", "Europe/Berln", "no time zone 'Europe/Berln'"),
        ("30 2 * * *", "../secret", "no time zone"),
        ("30 2 * * *", "", "no time zone ''"),
    ],
)
def test_what_is_no_schedule_is_a_sentence(expression: str, zone: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_schedule([expression], zone)
    assert says in str(caught.value)
