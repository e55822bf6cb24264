"""What a run finds of those before it that were killed, and what it does and says about them."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from orchestration import ops
from orchestration.dead_runs import WORKER, bury
from orchestration.records import DEAD, PUBLISHED, RunFolder, RunRecord, read_run
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query


@pytest.fixture(autouse=True)
def _no_name_for_other_tests() -> Iterator[None]:
    """Burying names the sessions of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGAPPNAME", "a test")
        yield


def left(runs: Path, warehouse: Warehouse, record: RunRecord, row: RunRecord | None) -> None:
    """What a dead run left: its file, and the row that it last wrote in ops."""
    record.warehouse = str(warehouse)
    RunFolder(runs, record.run_id).save(record)
    if row:
        with warehouse.session() as session:
            ops.create_tables(session)
            ops.save_run(session, row)


def buried(runs: Path, warehouse: Warehouse) -> list[str]:
    with warehouse.session() as session:
        ops.create_tables(session)
        return bury(session, runs, RunRecord("mine", "run", warehouse=str(warehouse)))


def in_ops(warehouse: Warehouse) -> list[tuple]:
    return query(warehouse, "select status, exit_code, reason from ops.runs order by run_id")


@contextmanager
def at_work(warehouse: Warehouse) -> Iterator[psycopg2.extensions.connection]:
    """A statement that goes on in the server, as after a kill of the client."""
    session = warehouse.connect(WORKER)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(session.cursor().execute, "select pg_sleep(60)")
        asleep = "select 1 from pg_stat_activity where query = 'select pg_sleep(60)' and pid = %s"
        while not query(warehouse, asleep, session.info.backend_pid):
            time.sleep(0.05)
        yield session
        query(warehouse, "select pg_terminate_backend(%s)", session.info.backend_pid)
        running.exception(timeout=10)
    session.close()


def test_what_a_dead_run_still_has_at_work_in_the_server_is_ended(
    tmp_path: Path, warehouse: Warehouse, server: Warehouse
) -> None:
    with at_work(warehouse) as dead, at_work(make_database(server)) as elsewhere:
        assert buried(tmp_path, warehouse) == [
            "sessions that a dead run had left at work in Postgres were ended: 1"
        ]
        alive = "select pid from pg_stat_activity where pid = any (%s)"
        pids = [dead.info.backend_pid, elsewhere.info.backend_pid]
        assert query(warehouse, alive, pids) == [(pids[1],)], "one of ours, one of another database"


def test_the_sessions_of_dlt_and_dbt_bear_a_name_by_which_the_next_run_knows_them(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    assert buried(tmp_path, warehouse) == []
    place = {"host": warehouse.host, "user": warehouse.user, "dbname": warehouse.dbname}
    with psycopg2.connect(**place) as session, session.cursor() as cursor:
        cursor.execute("select current_setting('application_name')")
        assert cursor.fetchone() == (WORKER,)
    session.close()


def test_a_run_that_could_tell_its_end_only_to_its_file_is_not_said_to_be_dead(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """Postgres was what broke: the file has the last word."""
    ended = RunRecord("r1", "run", "broken", exit_code=1, reason="Postgres went away")
    ended.finished_at = datetime.now(UTC)
    left(tmp_path, warehouse, ended, RunRecord("r1", "run"))
    assert buried(tmp_path, warehouse) == []
    assert in_ops(warehouse) == [("broken", 1, "Postgres went away")]
    assert query(warehouse, "select finished_at from ops.runs") == [(ended.finished_at,)]


def test_a_run_that_died_after_it_had_published_stays_published_and_is_found_once(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    left(tmp_path, warehouse, RunRecord("r1", "run", PUBLISHED), RunRecord("r1", "run", PUBLISHED))
    assert buried(tmp_path, warehouse) == ["run r1 was found dead after it had published"]
    assert in_ops(warehouse) == [("published", None, "killed: found dead by the next run")]
    assert read_run(tmp_path, "r1")["reason"] == "killed: found dead by the next run"
    assert buried(tmp_path, warehouse) == []


def test_a_run_of_another_container_is_dead_too_when_ops_has_no_end_of_it(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    other = RunRecord("r1", "run", host="7d3f0c1b2a99")
    left(tmp_path, warehouse, other, RunRecord("r1", "run"))
    assert buried(tmp_path, warehouse) == ["run r1 was found dead and is marked as aborted"]
    assert read_run(tmp_path, "r1")["status"] == "aborted"
    assert in_ops(warehouse)[0][0] == "aborted"


def test_a_run_that_waited_and_had_the_pid_that_is_ours_now_is_dead(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """In containers all runs have the same few pids."""
    left(tmp_path, warehouse, RunRecord("r1", "run", "waiting", pid=os.getpid()), None)
    assert buried(tmp_path, warehouse) == ["run r1 was found dead and is marked as aborted"]


def publish_a_version(warehouse: Warehouse, run_id: str) -> None:
    """What the switch of a run leaves in the register."""
    with warehouse.session() as session, session.cursor() as cursor:
        ops.create_tables(session)
        cursor.execute(
            "insert into ops.versions (version, run_id) values (4, %s); "
            "insert into ops.version_marts values (4, 'orders', '{}', 1, 'x'); "
            "insert into ops.switches values (now(), %s, 'publication', 4, null, false)",
            (run_id, run_id),
        )


def test_a_run_that_was_killed_between_its_switch_and_its_record_has_published(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """The switch and its line in ops.switches are one transaction: that is what readers see."""
    publish_a_version(warehouse, "r1")
    left(tmp_path, warehouse, RunRecord("r1", "run"), RunRecord("r1", "run"))
    assert buried(tmp_path, warehouse) == ["run r1 was found dead after it had published"]
    assert in_ops(warehouse) == [("published", None, DEAD)]
    found = read_run(tmp_path, "r1")
    assert (found["status"], found["reason"]) == ("published", DEAD)
    assert (found["published"]["version"], found["published"]["tables"]) == (4, ["orders"])


def test_a_run_that_switched_and_saw_postgres_die_has_published(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """Its file could only say that Postgres went away."""
    publish_a_version(warehouse, "r1")
    ended = RunRecord("r1", "run", "broken", exit_code=1, reason="Postgres went away")
    left(tmp_path, warehouse, ended, RunRecord("r1", "run"))
    assert buried(tmp_path, warehouse) == []
    assert in_ops(warehouse) == [("published", 1, "Postgres went away")]
    found = read_run(tmp_path, "r1")
    assert (found["status"], found["exit_code"]) == ("published", 1)
    assert found["published"]["version"] == 4


def test_a_run_of_another_container_that_had_switched_has_published(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """Its file is not here; ops has no end of it."""
    publish_a_version(warehouse, "r1")
    left(tmp_path / "there", warehouse, RunRecord("r1", "run"), RunRecord("r1", "run"))
    assert buried(tmp_path, warehouse) == ["run r1 was found dead after it had published"]
    assert in_ops(warehouse) == [("published", None, DEAD)]


def test_a_run_whose_file_could_not_be_written_ended_as_ops_says(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    """The disk of the records was full, Postgres was not."""
    ended = RunRecord("r1", "run", "broken", exit_code=1, reason="the disk is full")
    left(tmp_path, warehouse, RunRecord("r1", "run"), ended)
    assert buried(tmp_path, warehouse) == []
    found = read_run(tmp_path, "r1")
    assert (found["status"], found["exit_code"]) == ("broken", 1)
    assert found["reason"] == "the disk is full"
