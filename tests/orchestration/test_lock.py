"""One run at a time for each warehouse."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.errors import RunLocked
from orchestration.lock import describe_holder, run_lock
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import ecluse
from tests.orchestration.conftest import Guests

HOLD = """
import sys, time
from orchestration.lock import run_lock
from orchestration.warehouse import parse_url
with run_lock(parse_url(sys.argv[1]), "holder-1"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(warehouse: Warehouse) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock as run `holder-1`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, warehouse.url()], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()


def refused(warehouse: Warehouse, wait: float = 0.0) -> RunLocked:
    with pytest.raises(RunLocked) as caught, run_lock(warehouse, "second", wait, [].append):
        pass
    return caught.value


def test_the_first_run_gets_the_lock_and_a_connection_to_work_with(warehouse: Warehouse) -> None:
    with run_lock(warehouse, "first") as session, session.cursor() as cursor:
        cursor.execute("select current_setting('application_name')")
        assert cursor.fetchone() == ("ecluse run first",)


def test_a_second_run_is_told_who_holds_the_lock_and_leaves_with_4(warehouse: Warehouse) -> None:
    with holder(warehouse):
        error = refused(warehouse)
    assert error.exit_code == 4
    assert str(error).startswith("Another run is at work: run holder-1 (server process ")
    assert "UTC" in str(error)
    assert "--wait" in str(error)


def test_a_second_run_that_waits_gets_the_lock_when_the_first_ends(warehouse: Warehouse) -> None:
    told: list[str] = []

    def second() -> float:
        with run_lock(warehouse, "second", 30.0, told.append):
            return time.monotonic()

    with ThreadPoolExecutor(1) as pool:
        with run_lock(warehouse, "first"):
            waiting = pool.submit(second)
            time.sleep(0.7)
            assert not waiting.done()
            freed = time.monotonic()
        assert waiting.result(10) - freed < 2
    assert len(told) == 1, "one sentence, not one each half second"
    assert "waiting for run first" in told[0]


def test_a_second_run_does_not_wait_for_longer_than_it_was_told(warehouse: Warehouse) -> None:
    with run_lock(warehouse, "first"):
        began = time.monotonic()
        error = refused(warehouse, wait=0.6)
        assert 0.6 <= time.monotonic() - began < 3
    assert "--wait" not in str(error), "it did wait"


def test_a_killed_holder_frees_the_lock_at_once(warehouse: Warehouse) -> None:
    with holder(warehouse) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with run_lock(warehouse, "second", 2.0):
            pass


def test_an_ended_run_frees_the_lock_also_when_it_failed(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(warehouse, "first"):
        _ = 1 / 0
    with run_lock(warehouse, "second") as session:
        assert "second" in (describe_holder(session) or "")


def test_another_database_of_the_same_server_has_its_own_lock(
    warehouse: Warehouse, server: Warehouse
) -> None:
    with run_lock(warehouse, "here"), run_lock(make_database(server), "there"):
        pass


def test_other_advisory_locks_are_none_of_our_business(warehouse: Warehouse) -> None:
    with warehouse.session() as other, other.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(7), pg_advisory_lock(1, 1162038355)")
        with run_lock(warehouse, "first") as session:
            assert "first" in (describe_holder(session) or "")


def test_nobody_holds_a_free_lock(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        assert describe_holder(session) is None


def test_a_long_run_id_is_named_in_full(warehouse: Warehouse) -> None:
    run_id = "x" * 50  # the longest that ECLUSE_RUN_ID may be
    with run_lock(warehouse, run_id):
        assert f"run {run_id} (" in str(refused(warehouse))


def test_the_command_leaves_with_4_and_its_record_says_locked(
    warehouse: Warehouse, project: Path
) -> None:
    with holder(warehouse):
        done = ecluse(project, "run", warehouse=warehouse, ECLUSE_RUN_ID="late")
    assert done.returncode == 4
    assert done.stderr.startswith("ecluse: Another run is at work: run holder-1")
    shown = ecluse(project, "runs", "show", "late").stdout
    assert "locked" in shown
    assert query(warehouse, "select to_regclass('ops.runs')") == [(None,)], "it touched nothing"


def test_the_command_waits_for_as_long_as_the_setting_says(
    warehouse: Warehouse, project: Path
) -> None:
    with holder(warehouse):
        done = ecluse(
            project, "ingest", "--wait", warehouse=warehouse, ECLUSE_LOCK_WAIT_SECONDS="0.5"
        )
    assert done.returncode == 4
    assert "waiting for run holder-1" in done.stderr


def test_a_login_that_may_not_see_other_sessions_is_told_which_run_it_is(
    warehouse: Warehouse, guest: Guests
) -> None:
    with holder(warehouse):
        said = str(refused(guest()))
    assert re.search(r"run holder-1 \(server process \d+\)\. Use --wait", said), said
