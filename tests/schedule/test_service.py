"""The scheduler as a process, with a real run."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from orchestration.lock import run_lock
from orchestration.schedule.child import RunProcess
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import copy_project, ecluse, environment, settings_for
from tests.orchestration.small import load, write_small_models

SECRET = "geheim-geheim-geheim"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one small mart in the place of its own."""
    root = copy_project(tmp_path_factory.mktemp("schedule") / "clone")
    write_small_models(root)
    return root


def waited_for(lines: list[str], text: str) -> str:
    """The first line that has `text` in it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := [line for line in lines if text in line]:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no {text!r} in {lines}")


def test_a_call_starts_a_run_which_ends_before_the_scheduler_does(
    clone: Path, warehouse: Warehouse, api: str
) -> None:
    load(warehouse, 5, 7)
    variables = {"ECLUSE_TRIGGER_SECRET": SECRET, "SOURCES__JAFFLE_SHOP__BASE_URL": api}
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "schedule", "--cron", "0 0 29 2 *",
         "--listen", "127.0.0.1:0"],
        cwd=clone, env=environment(clone, warehouse, variables), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout
    out = process.stdout
    reader = threading.Thread(target=lambda: lines.extend(iter(out.readline, "")))
    reader.start()
    place = waited_for(lines, "listening on").split()[-1]
    well = json.loads(_call(f"http://{place}/healthz"))
    request = urllib.request.Request(
        f"http://{place}/run", b"", {"Authorization": f"Bearer {SECRET}"}
    )
    run_id = json.loads(_call(request))["run_id"]
    waited_for(lines, f"run {run_id} for webhook")
    checked = ecluse(clone, "schedule", "status", "--check", warehouse=warehouse)
    process.send_signal(signal.SIGTERM)
    assert process.wait(180) == 0
    reader.join()
    assert well == {"well": True}
    assert (checked.returncode, "at work" in checked.stdout) == (0, True)
    assert any(f"stopping: run {run_id} may end first" in line for line in lines)
    assert lines[-1] == "schedule ended\n"
    assert any(re.search(rf"run {run_id} passed, exit code 0", line) for line in lines)
    assert query(warehouse, "select status, exit_code, run_ids from ops.slots") == [
        ("passed", 0, [run_id])
    ]
    assert query(warehouse, "select run_id, status from ops.runs") == [(run_id, "published")]


def _call(request: str | urllib.request.Request) -> bytes:
    """The answer, once the scheduler has seen Postgres."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                return answer.read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_an_interrupted_run_keeps_its_record_and_knows_no_secret(
    clone: Path, warehouse: Warehouse
) -> None:
    os.environ |= {"ECLUSE_WAREHOUSE_URL": warehouse.url(), "ECLUSE_TRIGGER_SECRET": SECRET,
                   "PYTHONPATH": str(clone)}  # fmt: skip
    waiting = "select count(*) from pg_stat_activity where application_name = 'ecluse run ours'"
    with run_lock(warehouse, "theirs"):
        run = RunProcess(settings_for(clone, warehouse), "ours", wait=True)
        deadline = time.monotonic() + 30
        while query(warehouse, waiting) != [(1,)] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert run.poll() is None
        surroundings = Path(f"/proc/{run.process.pid}/environ").read_bytes()
        run.interrupt()
        assert run.process.wait(30) == 143
    assert SECRET.encode() not in surroundings
    assert b"ECLUSE_RUN_ID=ours" in surroundings
    assert json.loads((clone / "runs" / "ours" / "run.json").read_text())["status"] == "cancelled"


def test_a_scheduler_that_has_nothing_to_do_says_what_to_give_it(clone: Path) -> None:
    for args, says in (
        ([], "[tool.ecluse.schedule]"),
        (["--cron", "x"], "no cron expression"),
        (["--listen", ":0"], "ECLUSE_TRIGGER_SECRET is missing"),
    ):
        done = ecluse(clone, "schedule", *args)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
