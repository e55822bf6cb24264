"""Several schedulers on one warehouse: each slot is run once."""

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

from psycopg2.extensions import connection

from orchestration.schedule import slots
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.schedule.simulated import SimulatedClock, Simulation, at, half_a_minute_passes

RACE = """
import sys
from tests.schedule.simulated import Simulation
from orchestration.warehouse import parse_url
simulation = Simulation(parse_url(sys.argv[1]), "0 * * * *")
input()  # all at once
simulation.until("2026-01-02T00:30")
print(*simulation.local_starts(), sep="\\n")
"""


def test_two_processes_race_through_a_day(warehouse: Warehouse) -> None:
    """Their clocks run apart, so that one is late for some slots; none is run twice."""
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE, warehouse.url()], cwd=ROOT, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    for each in processes:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    started = [line for each in processes for line in each.communicate(timeout=60)[0].split("\n")]
    assert [each.returncode for each in processes] == [0, 0]
    assert len([line for line in started if line]) == len({line for line in started if line})
    rows = query(warehouse, "select status, attempts, cardinality(run_ids) from ops.slots")
    ran = [row for row in rows if row[0] == "passed"]
    assert set(ran) == {("passed", 1, 1)}
    assert len(ran) == len([line for line in started if line])
    assert query(warehouse, "select max(due_at) from ops.slots") == [(at("2026-01-02"),)]


def test_many_threads_claim_each_slot_once(warehouse: Warehouse, session: connection) -> None:
    with slots.queue(session) as cursor:
        for n in range(5):
            row = {"cause": "schedule", "due": at(f"2026-01-0{n + 1}"), "local": "", "run_ids": [],
                   "begin": at("2026-01-01"), "status": "waiting", "note": None}  # fmt: skip
            cursor.execute(slots.ADD, row)
    claimed: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        with warehouse.session() as own:
            start.wait()
            for _ in range(60):
                found = slots.claim(own, at("2026-01-07"), "x", timedelta(weeks=9))
                if found:
                    claimed.append(found.id)
                    slots.end(own, found, 0, at("2026-01-07"), 0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(claimed) == 5
    assert Counter(claimed).most_common(1)[0][1] == 1


def test_a_second_one_runs_nothing_while_the_first_one_does(warehouse: Warehouse) -> None:
    clock = SimulatedClock(at("2026-01-01"))
    first, second = (Simulation(warehouse, "10 * * * *", "UTC", clock) for _ in range(2))
    first.takes = timedelta(minutes=15)

    def call() -> None:
        with warehouse.session() as session, slots.queue(session) as cursor:
            slots.add_trigger(cursor, "webhook", clock.now())
        half_a_minute_passes(warehouse)
        second.until("2026-01-01T00:14")

    clock.at[at("2026-01-01T00:12")] = call
    first.until("2026-01-01T00:50")
    assert (second.started, len(first.started)) == ([], 2)
    assert second.slots() == [("passed",), ("passed",)]


def test_a_second_one_does_what_a_dead_one_left_waiting(warehouse: Warehouse) -> None:
    jittered = Simulation(warehouse, "0 2 * * *", jitter=timedelta(minutes=50))
    jittered.until("2026-01-01T02:00:30")
    assert jittered.slots() == [("waiting",)]
    clock = SimulatedClock(at("2026-01-01T02:01"))
    other = Simulation(warehouse, "0 2 * * *", "UTC", clock, jitter=timedelta(minutes=50))
    other.until("2026-01-01T03:00")
    assert other.slots() == [("passed",)]


def test_a_skipping_plan_does_not_run_late_what_was_left_waiting(warehouse: Warehouse) -> None:
    plan = {"missed": "skip", "jitter": timedelta(minutes=50)}
    Simulation(warehouse, "0 2 * * *", **plan).until("2026-01-01T02:00:30")
    clock = SimulatedClock(at("2026-01-01T09:00"))
    other = Simulation(warehouse, "0 2 * * *", "UTC", clock, **plan).until("2026-01-01T10:00")
    assert other.slots("status, note") == [("missed", "it waited for too long")]


def test_callers_who_ask_while_a_run_waits_get_that_one(session: connection) -> None:
    with slots.queue(session) as cursor:
        first = slots.add_trigger(cursor, "webhook", at("2026-01-01"))
        assert first[1] is False
        assert slots.add_trigger(cursor, "sensor x", at("2026-01-02")) == (first[0], True)
    claimed = slots.claim(session, at("2026-01-03"), "x", timedelta(1))
    assert claimed
    assert claimed.run_id == first[0]
    with slots.queue(session) as cursor:  # at work already: it may have read before the news came
        second = slots.add_trigger(cursor, "webhook", at("2026-01-04"))
        assert slots.add_trigger(cursor, "webhook", at("2026-01-05")) == (second[0], True)
        assert second[0] != first[0]
        assert slots.of_run(cursor, second[0])["status"] == "waiting"
    assert slots.claim(session, at("2026-01-06"), "x", timedelta(1)) is None
    assert slots.end(session, claimed, 0, at("2026-01-06"), 0) == ("passed", None)
    assert slots.claim(session, at("2026-01-06"), "x", timedelta(1)).run_id == second[0]


def test_two_different_schedules_on_one_warehouse_do_not_silence_each_other(
    warehouse: Warehouse,
) -> None:
    clock = SimulatedClock(at("2026-01-01T00:10"))
    first = Simulation(warehouse, "0 * * * *", "UTC", clock)
    second = Simulation(warehouse, "0,30 * * * *", "UTC", clock)
    for _ in range(300):
        for each in (first, second):
            each.scheduler._turn()
        clock.wait(30)
    due = [f"{each:%H:%M}" for (each,) in first.slots("due_at")]
    assert due == ["00:30", "01:00", "01:30", "02:00", "02:30"]
    assert {status for (status,) in first.slots()} == {"passed"}
