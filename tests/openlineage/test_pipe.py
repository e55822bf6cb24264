"""Real runs as a consumer hears of them: built, failed, killed; and loads that reject or break."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from ingestion.intake import Window
from orchestration.console import Console
from orchestration.dbt import NodeNews
from orchestration.errors import BuildBroke, DataRejected, IngestionStopped
from orchestration.openlineage.delivery import EVENTS, open_runs, read_events
from orchestration.records import DEAD
from orchestration.run import Run, recorded_run
from orchestration.settings import ROOT
from orchestration.steps import ingest_only
from orchestration.warehouse import Warehouse
from orchestration.workflow import Step, execute
from tests.databases import make_database
from tests.ingestion.peer import Peer
from tests.ingestion.rows import make_orders
from tests.newcomer import ecluse, environment, settings_for
from tests.openlineage.consumer import consumer
from tests.openlineage.spec import faults_of_all
from tests.orchestration.small import MART, MODELS, SmallPipe, load

pytestmark = pytest.mark.slow
KILLED = """
import os
from pathlib import Path
from orchestration.console import Console
from orchestration.dbt import NodeNews
from orchestration.run import recorded_run
from orchestration.settings import load_settings
from orchestration.workflow import Step, execute
with recorded_run(load_settings(root=Path.cwd()), "run", Console(quiet=True)) as run:
    steps = (Step("build", lambda: os.kill(os.getpid(), 9)),)
    execute(steps, run.record, run.changed, run.try_again)
"""
Events = list[dict]


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> SmallPipe:
    return SmallPipe(tmp_path / "p", warehouse)


def last_events(runs: Path) -> Events:
    (newest,) = sorted(runs.glob(f"*/{EVENTS}"), key=lambda path: path.stat().st_mtime)[-1:]
    return read_events(newest)


def ends(events: Events) -> dict[str, str]:
    return {e["job"]["name"]: e["eventType"] for e in events if e["eventType"] != "START"}


def end_of(events: Events, job: str) -> dict:
    (found,) = (e for e in events if e["job"]["name"] == job and e["eventType"] != "START")
    return found


def asserted(events: Events) -> dict[str, bool]:
    return {
        said["name"]: said["success"]
        for event in events
        for each in event["inputs"]
        for said in each["inputFacets"].get("dataQualityAssertions", {}).get("assertions", ())
    }


def test_a_build_is_told_node_by_node_to_the_file_and_to_a_consumer(pipe: SmallPipe) -> None:
    with consumer() as there:
        pipe.variables["ECLUSE_OPENLINEAGE_URL"] = there.url
        run = pipe.run("collect")
    events = last_events(pipe.settings.runs_dir)
    assert there.events == events
    assert faults_of_all(events) == []
    assert not [note for note in run.record.notes if "OpenLineage" in note]
    assert set(ends(events).values()) == {"COMPLETE"}
    mart = end_of(events, "dbt.model.ecluse.orders")
    (output,) = mart["outputs"]
    place = f"postgres://localhost:5432 {pipe.warehouse.dbname}"
    assert f"{output['namespace']} {output['name']}" == f"{place}.marts.orders"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert "stg_shop__orders" in mart["job"]["facets"]["sql"]["query"]
    fields = output["facets"]["columnLineage"]["fields"]
    (origin,) = fields["amount"]["inputFields"]
    assert origin["name"] == f"{pipe.warehouse.dbname}.staging.stg_shop__orders"
    assert (origin["field"], origin["transformations"]) == ("amount", [{"type": "DIRECT"}])
    published = end_of(events, "run.publish")["outputs"]
    assert [each["facets"]["version"]["datasetVersion"] for each in published] == ["1"]
    assert asserted(events) == {
        "unique_orders_id": True, "not_null_orders_id": True, "no_negative_amount": True,
        "no_large_amount": True,
    }  # fmt: skip


def test_a_failed_test_fails_the_build_and_a_warning_does_not(pipe: SmallPipe) -> None:
    load(pipe.warehouse, 5, -7, 700)
    with pytest.raises(DataRejected):
        pipe.run("collect")
    events = last_events(pipe.settings.runs_dir)
    assert faults_of_all(events) == []
    found = asserted(events)
    assert (found["no_negative_amount"], found["no_large_amount"]) == (False, False)
    assert found["unique_orders_id"]
    failed = {job for job, end in ends(events).items() if end != "COMPLETE"}
    assert failed == {"run", "run.build", "dbt.test.ecluse.no_negative_amount"}
    for job in ("run", "run.build"):
        error = end_of(events, job)["run"]["facets"]["errorMessage"]["message"]
        assert "no_negative_amount (1 row)" in error


def test_a_model_that_breaks_is_told_without_the_values_of_rows(pipe: SmallPipe) -> None:
    cast = MART.replace("id, amount", "id, ('geheim' || amount)::int as amount")
    pipe.write("models/marts/orders.sql", cast)
    pipe.write("models/marts/_models.yml", MODELS.partition("unit_tests:")[0])
    with pytest.raises(BuildBroke):
        pipe.run("collect")
    events = last_events(pipe.settings.runs_dir)
    assert faults_of_all(events) == []
    assert ends(events)["dbt.model.ecluse.orders"] == "FAIL"
    errors = [event["run"]["facets"].get("errorMessage", {}) for event in events]
    assert json.dumps(errors).count("invalid input syntax") == 3, "model, build and run"
    assert "geheim5" not in json.dumps(errors)


def perform(pipe: SmallPipe, step: Step) -> Run:
    with pipe.open() as run:
        execute((step,), run.record, run.changed, run.try_again)
    return run


def test_a_killed_run_leaves_what_it_began_and_the_next_one_aborts_it(pipe: SmallPipe) -> None:
    code = [sys.executable, "-c", KILLED]
    subprocess.run(code, cwd=pipe.root, check=False, env=environment(
        pipe.root, pipe.warehouse, {"PYTHONPATH": os.pathsep.join(sys.path)}))  # fmt: skip
    (left,) = pipe.settings.runs_dir.glob(f"*/{EVENTS}")
    assert [event["job"]["name"] for event in open_runs(read_events(left))] == ["run.build", "run"]
    with consumer() as there:
        pipe.variables["ECLUSE_OPENLINEAGE_URL"] = there.url
        perform(pipe, Step("nothing", lambda: ""))
    events = read_events(left)
    assert faults_of_all(events) == []
    assert ends(events) == {"run": "ABORT", "run.build": "ABORT"}
    assert end_of(events, "run")["run"]["facets"]["errorMessage"]["message"] == DEAD
    assert events[2:] == there.events[:2], "the consumer hears of it as well"


def test_an_interrupted_run_is_aborted(pipe: SmallPipe) -> None:
    with pytest.raises(KeyboardInterrupt):
        perform(pipe, Step("build", lambda: os.kill(os.getpid(), signal.SIGINT) or "never"))
    events = last_events(pipe.settings.runs_dir)
    assert faults_of_all(events) == []
    assert ends(events) == {"run": "ABORT", "run.build": "ABORT"}


def test_a_step_that_is_begun_again_is_one_run_and_its_jobs_are_two(pipe: SmallPipe) -> None:
    tries = iter([True, False])

    def act() -> str:
        run.node(NodeNews("test.ecluse.x", "started"))
        if next(tries):
            raise ValueError("passes")
        run.node(NodeNews("test.ecluse.x", "pass"))
        return "done"

    with pipe.open() as run:
        execute((Step("build", act),), run.record, run.changed, lambda entry, error: True)
    events = last_events(pipe.settings.runs_dir)
    assert faults_of_all(events) == []
    told = [(event["eventType"], event["job"]["name"]) for event in events]
    assert told[2:6] == [
        (type_, "dbt.test.ecluse.x") for type_ in ("START", "ABORT", "START", "COMPLETE")
    ]
    assert told[6] == ("COMPLETE", "run.build")


@pytest.mark.parametrize("silent", [True, False])
def test_a_dead_consumer_is_a_note_and_costs_a_run_less_than_two_seconds(
    pipe: SmallPipe, silent: bool
) -> None:
    perform(pipe, Step("nothing", lambda: ""))
    began = time.monotonic()
    perform(pipe, Step("nothing", lambda: ""))
    usual = time.monotonic() - began
    with consumer(silent=silent, status=500) as there:
        pipe.variables["ECLUSE_OPENLINEAGE_URL"] = there.url
        began = time.monotonic()
        run = perform(pipe, Step("nothing", lambda: ""))
        assert time.monotonic() - began < usual + 2
    (note,) = (note for note in run.record.notes if "OpenLineage" in note)
    assert f"ecluse openlineage send {run.record.run_id}" in note
    kept = json.loads((run.folder.path / "run.json").read_text())
    assert (kept["exit_code"], note in kept["notes"]) == (0, True)
    assert faults_of_all(last_events(pipe.settings.runs_dir)) == []


def test_a_folder_that_takes_no_events_is_a_note_and_the_run_goes_on(pipe: SmallPipe) -> None:
    with pipe.open() as run:
        (run.folder.path / EVENTS).unlink()
        (run.folder.path / EVENTS).mkdir()
        execute((Step("nothing", lambda: ""),), run.record, run.changed, run.try_again)
    assert run.record.exit_code == 0
    assert [note for note in run.record.notes if note.startswith("OpenLineage events ended early")]


def ingested(root: Path, warehouse: Warehouse, url: str, window: Window | None = None) -> Events:
    settings = settings_for(root, warehouse, SOURCES__JAFFLE_SHOP__BASE_URL=url)
    with recorded_run(settings, "ingest", Console(quiet=True)) as run:
        steps = ingest_only(run, ("jaffle_shop",), window, ())
        execute(steps, run.record, run.changed, run.try_again)
    return last_events(settings.runs_dir)


def test_rejected_rows_are_an_output_and_a_window_is_the_nominal_time(
    project: Path, server: Warehouse
) -> None:
    warehouse = make_database(server)
    with Peer() as peer:
        peer.tables["orders"] += make_orders("o4", subtotal="-5")
        events = ingested(project, warehouse, peer.url)
        asked = Window(date(2020, 1, 1), date(2020, 1, 31))
        again = ingested(project, warehouse, peer.url, asked)
        host = f"http://{peer.host}"
    assert faults_of_all(events) == faults_of_all(again) == []
    assert set(ends(events).values()) == {"COMPLETE"}
    orders = end_of(events, "dlt.jaffle_shop.orders")
    (read,) = orders["inputs"]
    assert (read["namespace"], read["name"]) == (host, "/api/v1/orders")
    raw = f"{warehouse.dbname}.raw_jaffle_shop"
    rows = {
        each["name"]: each["outputFacets"]["outputStatistics"]["rowCount"]
        for each in orders["outputs"]
    }
    assert rows.keys() == {f"{raw}.orders", f"{raw}.orders__items", f"{raw}.orders__rejected"}
    assert rows[f"{raw}.orders__rejected"] == 1
    customers = end_of(events, "dlt.jaffle_shop.customers")["outputs"]
    assert [each["name"] for each in customers] == [f"{raw}.customers"], "none was rejected"
    fields = customers[0]["facets"]["columnLineage"]["fields"]
    assert fields["name"]["inputFields"][0]["field"] == "$.name"
    nominal = end_of(again, "dlt.jaffle_shop")["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2020-01-01T00:00:00+00:00"
    assert nominal["nominalEndTime"] == "2020-02-01T00:00:00+00:00"
    assert "dlt.jaffle_shop.customers" not in ends(again), "a window is of logs alone"


def test_a_load_that_breaks_fails_its_jobs_and_writes_nothing(
    project: Path, warehouse: Warehouse
) -> None:
    with Peer() as peer:
        peer.answers["customers"] = lambda query: (404, {}, b"")
        with pytest.raises(IngestionStopped):
            ingested(project, warehouse, peer.url)
    events = last_events(project / "runs")
    assert faults_of_all(events) == []
    failed = {job for job, end in ends(events).items() if end == "FAIL"}
    assert failed >= {"ingest", "ingest.ingest", "dlt.jaffle_shop", "dlt.jaffle_shop.orders"}
    assert not [event for event in events if event["outputs"]]


def test_the_events_of_a_past_run_are_sent_again_by_a_command(pipe: SmallPipe) -> None:
    run_id = perform(pipe, Step("nothing", lambda: "")).record.run_id
    shutil.copytree(ROOT / "orchestration", pipe.root / "orchestration")

    def send(url: str, run: str = run_id) -> tuple[int, str]:
        done = ecluse(pipe.root, "openlineage", "send", run, ECLUSE_OPENLINEAGE_URL=url)
        return done.returncode, done.stdout + done.stderr

    with consumer() as there:
        assert send(there.url) == (0, f"sent 4 events of run {run_id}\n")
        assert send(there.url, "no-such-run")[0] == 2
    assert there.events == last_events(pipe.settings.runs_dir)
    code, said = send("http://user:geheim@127.0.0.1:9")
    assert (code, "did not take" in said, "geheim" in said) == (2, True, False)
    code, said = send("")
    assert (code, "Set ECLUSE_OPENLINEAGE_URL" in said) == (2, True)
