"""What becomes of slots that nobody was there for."""

from datetime import timedelta

import pytest

from orchestration.schedule.cron import parse_schedule
from orchestration.schedule.missed import MOST_TOLD, decide, jitter
from tests.schedule.simulated import at

HOURLY = parse_schedule(["0 * * * *"], "UTC")
WEEK = timedelta(weeks=1)
LAST = at("2026-05-01 00:00")


def decided(policy: str, now: str, max_age: timedelta = WEEK) -> list[tuple[str, bool, str | None]]:
    found = decide(HOURLY, LAST, at(now), policy, max_age)
    return [(f"{each.slot:%d %H:%M}", each.runs, each.note) for each in found]


@pytest.mark.parametrize("policy", ["once", "all", "skip"])
def test_a_slot_in_time_runs_whatever_the_policy(policy: str) -> None:
    assert decided(policy, "2026-05-01 00:59:59") == []
    assert decided(policy, "2026-05-01 01:00:00") == [("01 01:00", True, None)]
    assert decided(policy, "2026-05-01 01:00:30") == [("01 01:00", True, None)]


def test_once_is_one_run_for_all_and_says_so() -> None:
    note = "stands for 3 missed since 2026-05-01 01:00 UTC"
    assert decided("once", "2026-05-01 04:30") == [("01 04:00", True, note)]


def test_all_is_one_run_for_each() -> None:
    found = decided("all", "2026-05-01 03:30")
    assert found == [(f"01 0{n}:00", True, None) for n in (1, 2, 3)]


def test_skip_runs_nothing_late_but_what_is_in_time() -> None:
    missed = "4 missed since 2026-05-01 01:00 UTC"
    assert decided("skip", "2026-05-01 04:30") == [("01 04:00", False, missed)]
    assert decided("skip", "2026-05-01 05:00:20") == [("01 05:00", True, f"stands for {missed}")]


def test_what_is_too_old_does_not_run() -> None:
    hour = timedelta(hours=1, minutes=1)
    assert decided("all", "2026-05-01 03:30", hour) == [
        ("01 03:00", True, "stands for 2 missed since 2026-05-01 01:00 UTC")
    ]
    minute = timedelta(minutes=1)
    assert decided("once", "2026-05-01 03:30", minute) == [
        ("01 03:00", False, "3 missed since 2026-05-01 01:00 UTC")
    ]


def test_a_year_of_silence_is_one_run_and_is_told_in_no_time() -> None:
    minutely = parse_schedule(["* * * * *"], "Europe/Berlin")
    found = decide(minutely, at("2025-05-01"), at("2026-05-01"), "once", timedelta(hours=1))
    assert [(each.slot, each.runs) for each in found] == [(at("2026-05-01"), True)]
    assert f"{MOST_TOLD + 59} or more missed since 2025-05-01" in str(found[0].note)


def test_a_clock_set_back_makes_nothing_due() -> None:
    assert decided("all", "2026-04-30 12:00") == []


def test_jitter_is_the_same_for_whoever_asks_and_differs_by_slot_and_target() -> None:
    slot = at("2026-05-01")
    assert jitter(slot, "a", 300) == jitter(slot, "a", 300)
    others = {jitter(slot + timedelta(days=n), "a", 300) for n in range(50)}
    assert len(others) == 50
    assert timedelta() < min(others) < timedelta(seconds=60)
    assert timedelta(seconds=240) < max(others) < timedelta(seconds=300)
    assert jitter(slot, "a", 300) != jitter(slot, "b", 300)
    assert jitter(slot, "a", 0) == timedelta()
