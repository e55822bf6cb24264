"""The run record in the warehouse, and how a run opens and closes it."""

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.load import LoadRecord
from orchestration import ops
from orchestration.artifacts import Freshness, NodeResult, TestResult
from orchestration.console import Console
from orchestration.errors import (
    ConfigurationError,
    DataRejected,
    WarehouseForbids,
    WarehouseLost,
)
from orchestration.records import RunFolder, RunRecord, StepRecord, read_runs
from orchestration.run import Run, recorded_run
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse, settings_for
from tests.orchestration.conftest import Guests


@pytest.fixture
def settings(tmp_path: Path, warehouse: Warehouse) -> Settings:
    return settings_for(tmp_path, warehouse)


@contextmanager
def a_run(settings: Settings, run_id: str | None = None) -> Iterator[Run]:
    """A recorded run that says nothing."""
    with recorded_run(replace(settings, run_id=run_id), "run", Console(quiet=True)) as run:
        yield run


def full_record(run_id: str) -> RunRecord:
    """A record that has something in every list."""
    load = LoadRecord("shop", "raw_shop", datetime.now(UTC), load_ids=["1.5", "1.6"])
    load.received, load.loaded, load.mended = {"orders": 5}, {"orders": 4, "items": 9}, {"old": 1}
    load.pages, load.endpoints, load.retries = {"orders": 2}, {"orders": "http://x"}, ["429"]
    node = NodeResult(
        "model.e.orders", "orders", "model", "success", "SELECT 4", '"d"."s"."orders"', 4, 0.5,
        "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z",
    )  # fmt: skip
    test = TestResult("test.e.t.1", "t", "model.e.orders", "id", "error", "fail", 3, "Got 3", 0.1)
    fresh = Freshness("shop", "orders", "pass", "2026-01-01T00:00:00Z", 12.5)
    record = RunRecord(run_id, "run", git_commit="abc", git_dirty=True, versions={"dlt": "1"})
    record.steps = [StepRecord("ingest", "done", "5 rows"), StepRecord("build", "failed", "no")]
    record.loads, record.nodes, record.tests, record.freshness = [load], [node], [test], [fresh]
    return record


TABLES = ("runs", "steps", "loads", "load_tables", "nodes", "test_results", "freshness")


def contents(warehouse: Warehouse) -> dict[str, list[tuple]]:
    return {table: query(warehouse, f"select * from ops.{table} order by 1, 2") for table in TABLES}


def test_a_record_is_written_row_by_row_and_joins_on_the_run_id(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        ops.create_tables(session)
        ops.save_run(session, full_record("r1"))
        ops.save_details(session, full_record("r1"))
    joined = query(
        warehouse,
        "select r.status, s.step, l.load_ids, l.retries, n.rows_affected, t.failures, "
        "f.age_seconds from ops.runs as r join ops.steps as s using (run_id) "
        "join ops.loads as l using (run_id) "
        "join ops.nodes as n using (run_id) join ops.test_results as t using (run_id) "
        "join ops.freshness as f using (run_id) where s.status = 'failed'",
    )
    assert joined == [("running", "build", ["1.5", "1.6"], 1, 4, 3, 12.5)]
    tables = "select table_name, endpoint, pages, rows_received, rows_loaded, rows_mended "
    assert query(warehouse, tables + "from ops.load_tables order by 1") == [
        ("items", None, 0, 0, 9, 0), ("old", None, 0, 0, 0, 1), ("orders", "http://x", 2, 5, 4, 0),
    ]  # fmt: skip


def test_writing_a_record_twice_changes_nothing(warehouse: Warehouse) -> None:
    record = full_record("r1")
    with warehouse.session() as session:
        ops.create_tables(session)
        for _ in range(2):
            ops.save_run(session, record)
            ops.save_details(session, record)
            before = contents(warehouse)
        assert contents(warehouse) == before
    assert [len(rows) for rows in before.values()] == [1, 2, 1, 3, 1, 1, 1]


def test_writing_a_record_again_brings_it_up_to_date(warehouse: Warehouse) -> None:
    record = full_record("r1")
    with warehouse.session() as session:
        ops.create_tables(session)
        ops.save_run(session, record)
        record.status, record.exit_code, record.steps[1].status = "published", 0, "done"
        ops.save_run(session, record)
    assert query(warehouse, "select status, exit_code from ops.runs") == [("published", 0)]
    assert query(warehouse, "select status from ops.steps order by position") == [("done",)] * 2


def test_a_record_with_nothing_in_it_is_written_too(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        ops.create_tables(session)
        ops.save_run(session, RunRecord("r1", "ingest"))
        ops.save_details(session, RunRecord("r1", "ingest"))
    assert [len(rows) for rows in contents(warehouse).values()] == [1, 0, 0, 0, 0, 0, 0]


def test_many_may_create_the_tables_at_once(warehouse: Warehouse) -> None:
    def create(_: int) -> None:
        with warehouse.session() as session:
            ops.create_tables(session)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(create, range(12)))
    assert query(warehouse, "select count(*) from pg_tables where schemaname = 'ops'") == [(21,)]


def test_a_run_is_running_in_both_places_and_passed_in_both_at_its_end(settings: Settings) -> None:
    with a_run(settings, "r1") as run:
        run.changed()
        assert query(run.warehouse, "select status from ops.runs") == [("running",)]
        assert read_runs(settings.runs_dir)[0]["status"] == "running"
    found = query(run.warehouse, "select status, exit_code, finished_at is null from ops.runs")
    assert found == [("passed", 0, False)]
    assert read_runs(settings.runs_dir)[0]["exit_code"] == 0


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (DataRejected("3 rows are bad"), "rejected", 3, "3 rows are bad"),
        (ConfigurationError("no such folder"), "broken", 2, "no such folder"),
        (ValueError("oops"), "broken", 1, "ValueError: oops"),
        (KeyboardInterrupt(), "cancelled", 130, "interrupted"),
        (KeyboardInterrupt(15), "cancelled", 143, "interrupted"),
    ],
)
def test_what_stopped_a_run_is_in_its_record_and_is_raised_again(
    settings: Settings, error: BaseException, status: str, code: int, reason: str
) -> None:
    with pytest.raises(type(error)), a_run(settings, "r1") as run:
        raise error
    expected = (status, code, reason)
    assert query(run.warehouse, "select status, exit_code, reason from ops.runs") == [expected]
    found = read_runs(settings.runs_dir)[0]
    assert (found["status"], found["exit_code"], found["reason"]) == expected


def test_a_file_that_cannot_be_written_is_a_sentence_with_its_path(settings: Settings) -> None:
    said = r"^/x/y cannot be written: Permission denied\. Make it writable"
    with pytest.raises(ConfigurationError, match=said), a_run(settings, "r1"):
        raise PermissionError(errno.EACCES, "Permission denied", "/x/y")


def test_a_signal_that_dlt_caught_is_recorded_with_its_own_code(settings: Settings) -> None:
    from dlt.common.exceptions import SignalReceivedException

    with pytest.raises(KeyboardInterrupt), a_run(settings):
        raise SignalReceivedException(15)
    assert read_runs(settings.runs_dir)[0]["exit_code"] == 143


def test_a_right_that_a_step_lacks_is_recorded_as_the_sentence_that_is_shown(
    settings: Settings, warehouse: Warehouse, guest: Guests
) -> None:
    weak = guest()
    grant = f'grant create on database {warehouse.dbname} to "{weak.user}"; select 1'
    query(warehouse, grant + "; create schema marts; select 1")
    with pytest.raises(WarehouseForbids) as caught, a_run(settings_for(settings.root, weak)) as run:
        run.session.cursor().execute("create table marts.orders (n int)")
    found = read_runs(settings.runs_dir)[0]
    assert (found["exit_code"], found["reason"]) == (2, str(caught.value))


def test_a_server_that_dies_under_a_run_is_a_sentence_and_the_file_has_it(
    settings: Settings, warehouse: Warehouse
) -> None:
    with pytest.raises(WarehouseLost, match="went away") as caught, a_run(settings) as run:
        query(warehouse, "select pg_terminate_backend(%s)", run.session.info.backend_pid)
        run.session.cursor().execute("select 1")
    assert caught.value.exit_code == 1, "the run broke; no setting is wrong"
    found = read_runs(settings.runs_dir)[0]
    assert "went away" in found["reason"]
    assert "could not be written to Postgres" in found["notes"][0]


def test_the_next_run_marks_a_dead_one_as_aborted_in_both_places(
    settings: Settings, warehouse: Warehouse
) -> None:
    dead = RunRecord("dead", "run", warehouse=str(warehouse))
    RunFolder(settings.runs_dir, "dead").save(dead)
    with warehouse.session() as session:
        ops.create_tables(session)
        ops.save_run(session, dead)
        ops.save_run(session, RunRecord("dead-elsewhere", "run"))  # its file is on another machine
    with a_run(settings, "next") as run:
        run.changed()
    found = dict(query(warehouse, "select run_id, status from ops.runs"))
    assert found == {"dead": "aborted", "dead-elsewhere": "aborted", "next": "passed"}
    assert {r["run_id"]: r["status"] for r in read_runs(settings.runs_dir)}["dead"] == "aborted"
    assert [note.split()[1] for note in run.record.notes[:2]] == ["dead", "dead-elsewhere"]
    assert run.record.notes[2:] == ["incident 1 opened: runs dead, dead-elsewhere were killed"]


def test_a_run_takes_the_id_that_it_is_given_and_refuses_it_a_second_time(
    settings: Settings,
) -> None:
    with a_run(settings, "nightly-2026.01_01") as run:
        assert run.record.run_id == "nightly-2026.01_01"
    with pytest.raises(ConfigurationError, match="already"), a_run(settings, "nightly-2026.01_01"):
        pass


@pytest.mark.parametrize(
    "bad", ["../x", "a b", ".hidden", "-x", "a/b", "é", "a\nb", "x" * 51, "$(x)"]
)
def test_an_id_that_is_no_folder_name_is_refused_before_anything_is_done(
    settings: Settings, bad: str
) -> None:
    with (
        pytest.raises(ConfigurationError, match="ECLUSE_RUN_ID is ") as caught,
        a_run(settings, bad),
    ):
        pass
    assert caught.value.exit_code == 2
    assert not settings.runs_dir.exists()


def test_runs_that_cannot_be_written_end_with_exit_2(warehouse: Warehouse, project: Path) -> None:
    (project / "runs").write_text("a file where the folder should be")
    done = ecluse(project, "ingest", warehouse=warehouse)
    assert done.returncode == 2
    assert "The run record cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr
