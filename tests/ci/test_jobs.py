"""CI jobs beside each other and beside runs: what is alive, what is dead, who may run one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.ci import space
from orchestration.ci.cleaning import clean_up
from orchestration.errors import ConfigurationError, RunLocked
from orchestration.records import CI, RunFolder, RunRecord, mark_dead_files, read_runs
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.ci.small_shop import CUSTOMERS, INNER, JOIN, ORDERS, Shop, ci_schemas

JOB = """
import sys; from pathlib import Path
from orchestration.ci.job import Options; from orchestration.ci.run import run_ci
from orchestration.console import Console; from orchestration.settings import load_settings
settings = load_settings({"ECLUSE_WAREHOUSE_URL": sys.argv[2]}, Path(sys.argv[1]))
run_ci(settings, Options(linted=False), (), Console(quiet=True))
"""


@pytest.mark.long
def test_a_killed_job_is_cleaned_up_and_one_at_work_is_left_alone(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("models/marts/orders.sql", ORDERS.replace("\n", " cross join pg_sleep(60)\n"))
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(shop.root), shop.warehouse.url()], cwd=ROOT
    )
    try:
        _wait(lambda: any(name.endswith("_marts") for name in shop.schemas()))
        there = shop.schemas()
        shop.restore()
        assert shop.ci()[1] is None
        clean_up(shop.pipe.settings, True, False)
        assert shop.schemas() == there, "a job at work must be left alone"
    finally:
        job.send_signal(signal.SIGKILL)
        job.wait()
    _wait(lambda: _left(shop))
    capsys.readouterr()
    clean_up(shop.pipe.settings, False, False)
    assert shop.schemas() == there, "without --yes nothing goes"
    assert "would remove ci_" in capsys.readouterr().out
    clean_up(shop.pipe.settings, True, False)
    assert shop.schemas() == []
    asleep = "select count(*) from pg_stat_activity where query like '%%pg_sleep(60)%%' "
    assert shop.ask(asleep + "and pid <> pg_backend_pid() and datname = current_database()") == [
        (0,)
    ]


@pytest.mark.long
def test_a_job_that_is_stopped_drops_its_schemas_itself(shop: Shop) -> None:
    shop.write("models/marts/orders.sql", ORDERS.replace("\n", " cross join pg_sleep(60)\n"))
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(shop.root), shop.warehouse.url()], cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _wait(lambda: any(name.endswith("_marts") for name in shop.schemas()))
    job.send_signal(signal.SIGTERM)
    job.wait(timeout=30)
    assert shop.schemas() == []
    assert (
        max(read_runs(shop.root / "runs"), key=lambda run: run["run_id"])["status"] == "cancelled"
    )


@pytest.mark.long
def test_a_login_that_may_only_read_and_make_schemas_is_enough(shop: Shop) -> None:
    name = "reader_of_ci"
    shop.ask(
        f"create role {name} login; grant create on database {shop.warehouse.dbname} to {name}; "
        f"grant usage on schema raw_shop, marts, ops to {name}; "
        f"grant select on all tables in schema raw_shop to {name}; "
        f"grant select on all tables in schema marts to {name}; "
        f"grant select on all tables in schema ops to {name}; select 1"
    )
    shop.write("models/marts/customers.sql", CUSTOMERS.replace(JOIN, INNER))
    with pytest.raises(ConfigurationError, match="make it a member of ci_shop_pii"):
        shop.ci(user=name)
    shop.ask(f"create role ci_shop_pii; grant ci_shop_pii to {name}; select 1")
    try:
        report, closed = shop.ci(user=name)
    finally:
        shop.ask(f"drop owned by {name}; drop role {name}, ci_shop_pii; select 1")
    found = report.marts["customers"]
    assert (found.removed, found.changed, found.unchanged) == (10, 0, 40)
    assert closed.exit_code == 3
    assert all(cost.size and cost.size_before for cost in report.cost)


def test_two_jobs_do_not_meet_and_one_id_is_one_job(warehouse: Warehouse) -> None:
    with space.held_space(warehouse, "one"), space.held_space(warehouse, "two") as two:
        assert ci_schemas(warehouse) == sorted([space.space_name("one"), space.space_name("two")])
        assert space.leftovers(two) == []
        taken = pytest.raises(RunLocked, match="one is at work already")
        with taken, space.held_space(warehouse, "one"):
            pass
        assert len(ci_schemas(warehouse)) == 2


def test_long_ids_have_names_of_their_own_that_postgres_does_not_cut() -> None:
    names = {space.space_name("x" * 49 + last) for last in "abc"}
    assert len(names) == 3
    assert all(len(f"{name}_intermediate") < 64 for name in names)


def test_a_run_does_not_take_a_job_at_work_for_a_dead_one(tmp_path: Path) -> None:
    for name, pid in (("alive", os.getppid()), ("dead", 2**22 + 1)):
        RunFolder(tmp_path, name).save(RunRecord(name, CI, pid=pid, warehouse="it"))
    assert mark_dead_files(tmp_path, RunRecord("mine", "run", warehouse="it")) == ["dead"]


def _left(shop: Shop) -> bool:
    with shop.warehouse.session() as session:
        return bool(space.leftovers(session))


def _wait(until: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)
