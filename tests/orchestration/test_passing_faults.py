"""Faults that pass by themselves: which they are, and a run that gets over real ones."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from orchestration import ops
from orchestration import run as run_module
from orchestration.embedded import EmbeddedServer
from orchestration.errors import BuildBroke, RunLocked, WarehouseLost, WarehouseUnreachable
from orchestration.faults import PAUSES, passing_fault
from orchestration.lock import run_lock
from orchestration.records import PUBLISHED, read_runs
from orchestration.run import Run
from orchestration.settings import load_settings
from orchestration.warehouse import Warehouse, locate
from orchestration.workflow import Step, execute
from tests.databases import query
from tests.orchestration.small import MODELS, SmallPipe

SLOW = "select 1 as id, 2 as amount from pg_sleep(2)\n"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.run.PAUSES", (0.0,) * len(PAUSES))


@pytest.mark.parametrize(
    "words",
    [
        "deadlock detected\nDETAIL:  Process 1 waits",
        "could not serialize access due to concurrent update",
        "server closed the connection unexpectedly",
        "FATAL:  terminating connection due to administrator command",
        "connection already closed",
        'connection to server on socket "/x/.s.PGSQL.5432" failed: No such file or directory',
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is not yet accepting connections",
        "FATAL:  sorry, too many clients already",
    ],
)
def test_what_passes_is_told_by_postgres_own_words_however_deep_they_are(words: str) -> None:
    error = BuildBroke("model orders broke")
    error.__cause__ = ValueError("dlt says")
    error.__cause__.__context__ = psycopg2.OperationalError(words)
    assert passing_fault(error)


@pytest.mark.parametrize(
    "words",
    [
        'connection to server at "x" failed: FATAL:  password authentication failed for user "u"',
        'relation "orders" does not exist',
        "could not extend file: No space left on device",
        "division by zero",
        "GET http://x/orders: Connection reset by peer",
    ],
)
def test_what_stays_is_not_tried_again(words: str) -> None:
    assert passing_fault(psycopg2.OperationalError(words)) is None


def test_an_interruption_is_no_fault() -> None:
    error = psycopg2.OperationalError("terminating connection due to administrator command")
    error.__context__ = KeyboardInterrupt()
    assert passing_fault(error) is None
    assert passing_fault(KeyboardInterrupt()) is None


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> SmallPipe:
    pipe = SmallPipe(tmp_path / "p", warehouse)
    pipe.write("models/marts/_models.yml", MODELS.partition("unit_tests:")[0])
    return pipe


@pytest.fixture
def killer(warehouse: Warehouse) -> Iterator[threading.Thread]:
    """Ends the connection that builds the slow mart, once."""
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where query like "
    kill += "'%pg_sleep(2)%' and datname = current_database() and pid <> pg_backend_pid()"

    def work() -> None:
        while not query(warehouse, kill):
            time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join()


@pytest.mark.slow
def test_a_build_whose_connection_is_cut_is_begun_again_and_published(
    pipe: SmallPipe, killer: threading.Thread
) -> None:
    pipe.write("models/marts/orders.sql", SLOW)
    run = pipe.run("collect")
    assert run.record.status == "published"
    (fault,) = run.record.steps[0].retries
    assert fault in {"terminating connection due to", "server closed the connection unexpectedly"}
    assert run.record.notes == [f"build was begun again after a fault that passes: {fault}"]
    kept = query(pipe.warehouse, "select step, retries from ops.steps order by position")
    assert kept == [("build", [fault]), ("publish", [])]


@pytest.mark.slow
def test_a_catalog_whose_connection_is_cut_is_made_again(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt's error only counts the failures."""
    from dbt.adapters.postgres.impl import PostgresAdapter

    ask, asked = PostgresAdapter._get_one_catalog_by_relations, []

    def cut_once(*args: object) -> object:
        asked.append(args)
        if len(asked) == 1:
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return ask(*args)

    monkeypatch.setattr(PostgresAdapter, "_get_one_catalog_by_relations", cut_once)
    run = pipe.run()
    assert run.record.steps[-1].retries == ["server closed the connection unexpectedly"]
    assert (run.record.status, run.record.exit_code) == ("published", 0)


@pytest.mark.slow
def test_a_deadlock_in_a_model_is_tried_again_and_one_for_ever_is_not(pipe: SmallPipe) -> None:
    # as dbt hands it on: an error of the model with Postgres' own words
    query(
        pipe.warehouse,
        "create sequence times; create function often(n int) returns int language plpgsql as $$ "
        "begin if nextval('times') < n then raise exception 'deadlock detected' using errcode = "
        "'40P01'; end if; return n; end $$; select 1",
    )
    pipe.write("models/marts/orders.sql", "select 1 as id, often(3) as amount\n")
    run = pipe.run("collect")
    assert run.record.steps[0].retries == ["deadlock detected"] * 2
    pipe.write("models/marts/orders.sql", "select 1 as id, often(99) as amount\n")
    with pytest.raises(BuildBroke, match="deadlock detected"):
        pipe.run("collect")
    assert len(read_runs(pipe.settings.runs_dir)[0]["steps"][0]["retries"]) == len(PAUSES)


def cut(run: Run) -> None:
    """End the connection that holds the run's lock."""
    pid = run.session.info.backend_pid
    query(run.warehouse, f"select pg_terminate_backend({pid})")
    while query(run.warehouse, f"select 1 from pg_stat_activity where pid = {pid}"):
        time.sleep(0.02)


def test_a_run_that_loses_its_lock_takes_it_again_and_goes_on(pipe: SmallPipe) -> None:
    seen: list[object] = []

    def cut_once() -> str:
        if not seen:
            seen.append(cut(run))
            query(run.warehouse, "select 1")
            with run.session.cursor() as cursor:
                cursor.execute("select 1")
        return "through"

    with pipe.open() as run:
        execute((Step("build", cut_once),), run.record, run.changed, run.try_again)
        with pytest.raises(RunLocked), run_lock(run.warehouse, "another"):
            pass
    assert run.record.steps[0].retries


def test_a_lock_that_is_lost_between_two_steps_is_taken_again(pipe: SmallPipe) -> None:
    with pipe.open() as run:
        steps = (Step("one", lambda: str(cut(run))), Step("two", lambda: "done"))
        execute(steps, run.record, run.changed, run.try_again)
    assert run.record.status == "passed"


def test_a_run_that_loses_its_lock_after_it_has_published_goes_on_too(pipe: SmallPipe) -> None:
    def publish() -> str:
        run.record.status = PUBLISHED
        return "published"

    with pipe.open() as run:
        steps = (Step("publish", publish), Step("collect", lambda: str(cut(run))))
        execute((*steps, Step("more", lambda: "done")), run.record, run.changed, run.try_again)
    assert [step.status for step in run.record.steps] == ["done"] * 3
    assert read_runs(pipe.settings.runs_dir)[0]["status"] == "published"


def test_a_run_that_another_has_buried_meanwhile_ends(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken() -> str:
        cut(run)
        with run.warehouse.session() as other:
            ops.end_row(other, run.record.run_id, {})
        with run.session.cursor() as cursor:
            cursor.execute("select 1")
        return "never"

    with pytest.raises(RunLocked, match="Another run took over"), pipe.open() as run:
        execute((Step("build", overtaken),), run.record, run.changed, run.try_again)


def test_a_server_that_stays_away_ends_the_run_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "PATIENCE", 0.5)
    settings = load_settings({}, tmp_path)
    server = EmbeddedServer(settings.state_dir)
    server.start()
    away = Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres")
    pipe = SmallPipe(tmp_path / "p", away)

    def stop() -> str:
        server.stop()
        with run.session.cursor() as cursor:
            cursor.execute("select 1")
        return "never"

    with pytest.raises(WarehouseUnreachable, match="does not let us in"), pipe.open() as run:
        execute((Step("build", stop),), run.record, run.changed, run.try_again)
    assert read_runs(pipe.settings.runs_dir)[0]["status"] == "broken"
    assert run.given_up
    monkeypatch.setattr(run_module, "PATIENCE", 3600)
    with pytest.raises(WarehouseLost):
        run.changed()  # an hour is not waited for again


def test_an_embedded_server_that_is_killed_is_started_again_by_the_run(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    server = EmbeddedServer(settings.state_dir)

    def kill() -> str:
        if not run.record.steps[0].retries:
            os.kill(int((server.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            with run.session.cursor() as cursor:
                cursor.execute("select 1")
        return "through"

    from orchestration.console import Console
    from orchestration.run import recorded_run

    try:
        with recorded_run(settings, "run", Console(quiet=True)) as run:
            assert run.warehouse == locate(settings)
            execute((Step("build", kill),), run.record, run.changed, run.try_again)
        assert run.record.status == "passed"
    finally:
        server.stop()
