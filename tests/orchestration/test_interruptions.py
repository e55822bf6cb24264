"""Ctrl-C, SIGTERM and kill -9 of the whole command: the exit code, the record, the next run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse, environment
from tests.orchestration.small import load, sleep_in_the_mart, write_small_models

pytestmark = pytest.mark.slow
TINY_DEMO = {"ECLUSE_DEMO_ORDERS": "3000", "ECLUSE_DEMO_DAYS": "40"}


@pytest.fixture
def clone(project: Path, warehouse: Warehouse) -> Path:
    """A project whose build sleeps, on a warehouse whose readers have an old mart."""
    write_small_models(project)
    sleep_in_the_mart(project)
    load(warehouse, 5, 7)
    query(
        warehouse,
        "create schema marts; create table marts.orders as select 1 as id, 99 as amount; select 1",
    )
    return project


def interrupt(
    clone: Path,
    warehouse: Warehouse,
    when: Callable[[], bool],
    signum: signal.Signals,
    **variables: str,
) -> tuple[int, str, float]:
    """Start a run, send it a signal when it is there, and say how it ended and how soon."""
    variables = environment(clone, warehouse, TINY_DEMO | {"ECLUSE_RUN_ID": "first"} | variables)
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "run"], cwd=clone, env=variables,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not when():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the run never got there"
            time.sleep(0.1)
        sent = time.monotonic()
        os.kill(process.pid, signum)
        _, said = process.communicate(timeout=60)
        return process.returncode, said, time.monotonic() - sent
    finally:
        process.kill()
        process.wait()


def building(warehouse: Warehouse) -> Callable[[], bool]:
    """Whether the mart is being built right now."""
    active = "select count(*) from pg_stat_activity where state = 'active' and "
    active += "datname = current_database() and query like '%pg_sleep(30)%' "
    active += "and pid <> pg_backend_pid()"
    return lambda: query(warehouse, active)[0][0] > 0


def record(clone: Path, run_id: str = "first") -> dict:
    return json.loads((clone / "runs" / run_id / "run.json").read_text())


def assert_the_next_is_clean(clone: Path, warehouse: Warehouse, command: str) -> dict:
    write_small_models(clone)
    done = ecluse(clone, command, warehouse=warehouse, **TINY_DEMO, ECLUSE_RUN_ID="second")
    assert done.returncode == 0, done.stderr
    orders = "select count(*), count(distinct id) from raw_jaffle_shop.orders"
    ((rows, ids),) = query(warehouse, orders)
    assert rows == ids > 0, "nothing is doubled, nothing is lost"
    return record(clone, "second")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_build_cancels_the_run_and_readers_keep_their_marts(
    clone: Path, warehouse: Warehouse, signum: signal.Signals, code: int
) -> None:
    returned, said, seconds = interrupt(clone, warehouse, building(warehouse), signum)
    assert returned == code, said
    assert "ecluse: interrupted" in said
    assert "Traceback" not in said
    assert "semaphore" not in said
    assert seconds < 10, "a container gets no more before it is killed"
    found = record(clone)
    assert (found["status"], found["exit_code"]) == ("cancelled", code)
    built = {node["unique_id"]: node["status"] for node in found["nodes"]}
    assert built.get("model.ecluse.orders") != "success"
    assert {step["step"]: step["status"] for step in found["steps"]} == {
        "ingest": "done", "build": "failed", "publish": "skipped", "collect": "skipped",
    }  # fmt: skip
    in_ops = "select status, exit_code from ops.runs where run_id = 'first'"
    assert query(warehouse, in_ops) == [("cancelled", code)]
    assert query(warehouse, "select amount from marts.orders") == [(99,)]
    assert not building(warehouse)(), "the statement was cancelled in the server too"


def test_a_ctrl_c_in_the_load_cancels_the_run_and_leaves_nothing_half_loaded(
    clone: Path, warehouse: Warehouse
) -> None:
    def loading() -> bool:
        if not any((clone / ".warehouse" / "dlt").glob("*/pipelines/jaffle_shop")):
            return False
        time.sleep(1.5)  # dlt asks the API, which is slow to answer
        return True

    returned, said, seconds = interrupt(
        clone, warehouse, loading, signal.SIGINT, ECLUSE_DEMO_FAULTS="slow@orders?delay=6"
    )
    assert returned == 130, said
    assert "ecluse: interrupted" in said
    assert "Traceback" not in said
    assert seconds < 10, "it waits for no answer and no retry"
    found = record(clone)
    assert (found["status"], found["exit_code"]) == ("cancelled", 130)
    assert found["loads"][0]["error"] == "interrupted"
    assert_the_next_is_clean(clone, warehouse, "ingest")


def test_a_killed_run_is_found_dead_by_the_next_which_is_clean(
    clone: Path, warehouse: Warehouse
) -> None:
    returned, _, _ = interrupt(clone, warehouse, building(warehouse), signal.SIGKILL)
    assert returned == -signal.SIGKILL
    assert record(clone)["status"] == "running", "it had no last word"
    assert building(warehouse)(), "its statement goes on in the server"
    found = assert_the_next_is_clean(clone, warehouse, "run")
    assert query(warehouse, "select amount from marts.orders order by id") == [(5,), (7,)]
    assert found["notes"] == [
        "sessions that a dead run had left at work in Postgres were ended: 1",
        "run first was found dead and is marked as aborted",
        "dropped the marts that run first had built and not published",
        "incident 1 is over: a later run has healed it",
    ]
    assert record(clone)["status"] == "aborted"
    in_ops = "select run_id, status from ops.runs order by 1"
    assert query(warehouse, in_ops) == [("first", "aborted"), ("second", "published")]
