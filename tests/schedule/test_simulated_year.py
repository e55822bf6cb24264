"""A scheduler over a year, restarts, clocks that are set, on a real Postgres."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestration.schedule import slots
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.schedule.simulated import (
    Killed,
    SimulatedClock,
    Simulation,
    at,
    half_a_minute_passes,
)


def test_a_year_of_nights_in_berlin_each_once(warehouse: Warehouse) -> None:
    nightly = Simulation(warehouse, "30 2 * * *", "Europe/Berlin").until("2026-12-31T23:00")
    days = Counter(start[:5] for start in nightly.local_starts())
    assert len(days) == 365
    assert set(days.values()) == {1}
    assert {start[6:] for start in nightly.local_starts()} == {"02:30", "03:00"}
    assert [start for start in nightly.local_starts() if "03:00" in start] == ["03-29 03:00"]
    assert nightly.slots("local_time")[297] == ("2026-10-25 02:30 CEST",)
    assert Counter(nightly.slots()) == {("passed",): 365}
    assert nightly.slots("due_at") == [(each,) for each in nightly.started]


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [("America/New_York", "2026-03-08", "2026-11-01"),
     ("Australia/Lord_Howe", "2026-10-03", "2026-04-04")],
)  # fmt: skip
def test_change_days_with_a_restart_each_hour(
    warehouse: Warehouse, zone: str, forward: str, back: str
) -> None:
    for day in (forward, back):
        clock = SimulatedClock(at(day))
        starts: list[str] = []
        for hour in range(1, 42):
            nightly = Simulation(warehouse, "30 2 * * *", zone, clock)
            moment = at(day) + timedelta(hours=hour, minutes=7)
            nightly.until(f"{moment:%Y-%m-%dT%H:%M}")
            starts += nightly.local_starts()
        assert len(starts) == len({start[:5] for start in starts}) == 2
        query(warehouse, "truncate ops.triggers; select 1")


def test_every_quarter_on_the_day_when_clocks_go_back(warehouse: Warehouse) -> None:
    quarters = Simulation(warehouse, "*/15 * * * *", "Europe/Berlin",
                          SimulatedClock(at("2026-10-24T21:59")))  # fmt: skip
    quarters.until("2026-10-25T22:50")
    assert len(quarters.started) == 100  # 25 hours
    assert quarters.local_starts().count("10-25 02:15") == 2


def test_a_first_start_owes_nothing_of_the_past(warehouse: Warehouse) -> None:
    assert Simulation(warehouse, "0 * * * *").until("2026-01-01T00:59").started == []


@pytest.mark.parametrize(
    ("policy", "starts", "outcomes"),
    [("once", ["05:30", "06:00"], ["passed"] * 3),
     ("all", ["05:30", "05:32", "05:34", "05:36", "06:00"], ["passed"] * 6),
     ("skip", ["06:00"], ["passed", "missed", "passed"])],
)  # fmt: skip
def test_what_was_missed_while_nobody_was_there(
    warehouse: Warehouse, policy: str, starts: list[str], outcomes: list[str]
) -> None:
    Simulation(warehouse, "0 * * * *", missed=policy).until("2026-01-01T01:30")
    clock = SimulatedClock(at("2026-01-01T05:30"))
    later = Simulation(warehouse, "0 * * * *", "UTC", clock, missed=policy)
    later.until("2026-01-01T06:30")
    assert [start[6:] for start in later.local_starts()] == starts
    assert [status for (status,) in later.slots()] == outcomes
    if policy == "once":
        note = "stands for 3 missed since 2026-01-01 02:00 UTC"
        assert later.slots("note")[1] == (note,)


def test_a_slot_that_comes_while_a_run_is_at_work_waits_and_two_are_one(
    warehouse: Warehouse,
) -> None:
    long = Simulation(warehouse, "*/10 * * * *")
    long.takes = timedelta(minutes=25)
    long.until("2026-01-01T01:02")
    assert [start[6:] for start in long.local_starts()] == ["00:10", "00:35", "01:00"]
    assert [status for (status,) in long.slots()] == [
        "passed", "missed", "passed", "missed", "missed", "passed",
    ]  # fmt: skip
    assert "done by the slot of 2026-01-01 00:30 UTC" in long.slots("note")[1][0]
    assert long.waits == [True] * 3  # a run that is not ours is waited for


def test_or_is_skipped_when_the_plan_says_so(warehouse: Warehouse) -> None:
    long = Simulation(warehouse, "*/10 * * * *", busy="skip")
    long.takes = timedelta(minutes=25)
    long.codes = [0, 4]  # the lock: somebody's run by hand
    long.until("2026-01-01T00:55")
    assert [start[6:] for start in long.local_starts()] == ["00:10", "00:40"]
    assert long.slots("status, exit_code") == [
        ("passed", 0), ("skipped", None), ("skipped", None), ("skipped", 4), ("skipped", None),
    ]  # fmt: skip
    assert long.waits == [False] * 2


def test_a_call_is_never_skipped(warehouse: Warehouse) -> None:
    """The run at work may have asked the source before the news came."""
    hourly = Simulation(warehouse, "0 * * * *", busy="skip")

    def call() -> None:
        with warehouse.session() as session, slots.queue(session) as cursor:
            slots.add_trigger(cursor, "webhook", hourly.clock.now())

    hourly.clock.at[at("2026-01-01T01:01")] = call
    hourly.until("2026-01-01T01:30")
    assert hourly.slots("cause, status") == [("schedule", "passed"), ("webhook", "passed")]
    assert hourly.waits == [False, True]


def test_what_broke_is_tried_again_later_and_later_bad_data_is_not(warehouse: Warehouse) -> None:
    nightly = Simulation(warehouse, "0 2 * * *", retries=2)
    nightly.codes = [1, -9, 0, 3, 1, 1, 1]
    nightly.until("2026-01-03T23:00")
    assert [start[6:] for start in nightly.local_starts()] == [
        "02:00", "02:03", "02:07", "02:00", "02:00", "02:03", "02:07",
    ]  # fmt: skip
    columns = "status, exit_code, attempts, cardinality(run_ids)"
    assert nightly.slots(columns) == [
        ("passed", 0, 3, 3),
        ("rejected", 3, 1, 1),
        ("broke", 1, 3, 3),
    ]
    ids = [each for (row,) in nightly.slots("run_ids") for each in row]
    assert len(set(ids)) == 7


def test_a_new_slot_ends_the_retries_of_the_one_before(warehouse: Warehouse) -> None:
    often = Simulation(warehouse, "*/10 * * * *", retries=9)
    often.codes = [1] * 3
    often.until("2026-01-01T00:25")
    assert often.slots("status, attempts") == [("broke", 3), ("passed", 1)]


def test_jitter_moves_the_run_and_not_the_slot(warehouse: Warehouse) -> None:
    nightly = Simulation(warehouse, "0 2 * * *", jitter=timedelta(minutes=30))
    nightly.until("2026-01-05T00:00")
    assert [f"{due:%d %H:%M}" for (due,) in nightly.slots("due_at")] == [
        f"0{day} 02:00" for day in range(1, 5)
    ]
    late = [
        start - due for start, (due,) in zip(nightly.started, nightly.slots("due_at"), strict=True)
    ]
    assert len(set(late)) == 4
    assert timedelta() < min(late) < max(late) < timedelta(minutes=31)


def test_killed_between_claim_and_run(warehouse: Warehouse) -> None:
    first = Simulation(warehouse, "0 2 * * *")

    def killed(run_id: str, wait: bool) -> None:
        raise Killed

    first.scheduler.start = killed
    with pytest.raises(Killed):
        first.until("2026-01-02T00:00")
    assert first.slots("status, attempts") == [("running", 1)]
    half_a_minute_passes(warehouse)
    second = Simulation(warehouse, "0 2 * * *", "UTC", first.clock).until("2026-01-01T05:00")
    assert second.local_starts() == ["01-01 02:01"]
    assert second.slots("status, attempts, cardinality(run_ids)") == [("passed", 2, 2)]
    assert any("ended before its run" in each for each in second.said)


def test_a_run_that_outlived_its_scheduler_is_left_alone_and_its_end_is_found(
    warehouse: Warehouse,
) -> None:
    first = Simulation(warehouse, "0 2 * * *")
    first.takes = timedelta(days=1)

    def kill() -> None:
        raise Killed

    first.clock.at[at("2026-01-01T02:05")] = kill
    with pytest.raises(Killed):
        first.scheduler.work()
    half_a_minute_passes(warehouse)
    ((run_ids,),) = first.slots("run_ids")
    with warehouse.session(f"ecluse run {run_ids[0]}"):
        second = Simulation(warehouse, "0 2 * * *", "UTC", first.clock).until("2026-01-01T03:00")
        assert (second.started, second.slots()) == ([], [("running",)])
    query(warehouse, "insert into ops.runs (run_id, kind, status, started_at, exit_code) "
          "values (%s, 'run', 'rejected', now(), 3) returning 1", run_ids[0])  # fmt: skip
    third = Simulation(warehouse, "0 2 * * *", "UTC", first.clock).until("2026-01-01T04:00")
    assert (third.started, third.slots("status, exit_code")) == ([], [("rejected", 3)])


def test_a_clock_that_is_set_back_runs_nothing_twice(warehouse: Warehouse) -> None:
    hourly = Simulation(warehouse, "0 * * * *")

    def set_back() -> None:
        hourly.clock.instant -= timedelta(hours=2)

    hourly.clock.at[at("2026-01-01T03:20")] = set_back
    hourly.until("2026-01-01T05:30")
    assert [start[6:] for start in hourly.local_starts()] == [f"0{n}:00" for n in range(1, 6)]


def test_a_clock_that_was_a_year_ahead_does_not_silence_the_schedule(warehouse: Warehouse) -> None:
    ahead = SimulatedClock(at("2027-01-01T00:50"))
    nightly = Simulation(warehouse, "0 * * * *", "UTC", ahead)
    ahead.at[at("2027-01-01T02:10")] = lambda: _set_right(ahead, nightly)
    nightly.scheduler.work()
    assert [f"{start:%Y %H:%M}" for start in nightly.started] == [
        "2027 01:00", "2027 02:00", "2026 01:00", "2026 02:00",
    ]  # fmt: skip
    assert any("a clock was wrong" in each for each in nightly.said)


def _set_right(clock: SimulatedClock, simulation: Simulation) -> None:
    clock.instant = at("2026-01-01T00:10")
    clock.at[at("2026-01-01T02:30")] = simulation.stop


def test_another_schedule_begins_with_its_own_next_slot(warehouse: Warehouse) -> None:
    Simulation(warehouse, "0 2 * * *").until("2026-01-01T03:00")
    clock = SimulatedClock(at("2026-01-05T10:10"))
    other = Simulation(warehouse, "0 * * * *", "UTC", clock).until("2026-01-05T11:30")
    assert other.local_starts() == ["01-05 11:00"]


def test_a_stop_lets_the_run_end_and_a_second_one_interrupts_it(warehouse: Warehouse) -> None:
    for signals, ended, minutes in ((1, ("passed", 0), 30), (2, ("interrupted", 143), 7)):
        slow = Simulation(warehouse, "0 * * * *", retries=3)
        slow.takes = timedelta(minutes=30)
        for minute in range(5, 5 + signals):
            slow.clock.at[at(f"2026-01-01T01:{minute:02}")] = slow.stop
        slow.scheduler.work()
        assert slow.slots("status, exit_code") == [ended]
        assert minutes <= (slow.clock.now() - at("2026-01-01T01:00")).seconds / 60 < minutes + 3
        assert any("may end first" in each for each in slow.said)
        assert any("interrupting" in each for each in slow.said) == (signals == 2)
        query(warehouse, "truncate ops.slots, ops.triggers; select 1")


def test_a_warehouse_that_is_away_is_waited_for(server: Warehouse) -> None:
    there = make_database(server)
    away = replace(there, host="/nowhere")
    nightly = Simulation(away, "0 2 * * *")
    nightly.clock.at[at("2026-01-01T01:00")] = lambda: setattr(nightly, "warehouse", there)
    nightly.clock.at[at("2026-01-01T01:59")] = lambda: _lose(nightly, away)
    nightly.clock.at[at("2026-01-01T02:20")] = lambda: setattr(nightly, "warehouse", there)
    nightly.until("2026-01-02T00:00")
    assert nightly.local_starts() == ["01-01 02:20"]
    told = [each for each in nightly.said if "warehouse" in each]
    assert [each[:25] for each in told] == [
        "the warehouse is away and",
        "the warehouse answers aga",
    ] * 2


def _lose(simulation: Simulation, away: Warehouse) -> None:
    there, simulation.warehouse = simulation.warehouse, away
    ours = "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
    query(there, ours + "where application_name like 'ecluse schedule%%'")
