"""A run whose stages are commands of their own, in processes and machines of their own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestion.load import LoadRecord
from orchestration.console import Console
from orchestration.errors import (
    BuildBroke,
    ConfigurationError,
    DataRejected,
    IngestionStopped,
    RunLocked,
)
from orchestration.lock import run_lock
from orchestration.records import RunFolder, RunRecord, read_run
from orchestration.run import Run
from orchestration.stages.stage import Stage, run_stage
from orchestration.stages.state import State, Verdict, keep_state, read_state
from orchestration.steps.build import build
from orchestration.steps.collect import collect
from orchestration.steps.publish import publish_marts
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse
from tests.orchestration.small import load
from tests.orchestration.staged import Staged

pytestmark = pytest.mark.slow  # most build with dbt


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> Staged:
    return Staged(tmp_path / "small", warehouse)


def steps(record: RunRecord | dict[str, Any]) -> dict[str, str]:
    if isinstance(record, RunRecord):
        return {step.step: step.status for step in record.steps}
    return {step["step"]: step["status"] for step in record["steps"]}


def test_four_stages_are_one_run(pipe: Staged) -> None:
    pipe.ingest("shop")
    record = pipe.ingest("other")
    assert (record.status, record.exit_code, record.finished_at) == ("running", None, None)
    assert pipe.in_ops() == ("run", "running", None)
    pipe.stage("build")
    assert query(pipe.warehouse, "select to_regclass('marts.orders')") == [(None,)]
    pipe.stage("publish")
    assert pipe.amounts() == [5, 7]
    assert not list(pipe.root.glob("site/*")), "who looks is told once, at the end"
    record = pipe.stage("collect", collect)
    assert (record.status, record.exit_code) == ("published", 0)
    assert set(steps(record).values()) == {"done"}
    assert [each.source for each in record.loads] == ["shop", "other"]
    assert record.published and record.published["built_by"] == "night"
    found = pipe.file()
    assert found["steps"][0]["detail"] == "2 sources"
    assert found["tests"] and found["nodes"] and found["lineage"]
    assert pipe.in_ops() == ("run", "published", 0)
    counts = "select (select count(*) from ops.loads), (select count(*) from ops.steps)"
    assert query(pipe.warehouse, counts) == [(2, 4)]
    assert (pipe.root / "site" / "index.html").exists()


def test_openlineage_hears_of_one_run_and_of_each_stage(pipe: Staged) -> None:
    for name in ("ingest", "ingest", "build", "publish", "collect"):
        pipe.ingest("shop") if name == "ingest" else pipe.stage(name)
    lines = (pipe.root / "runs" / "night" / "openlineage.ndjson").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    whole = [each for each in events if each["job"]["name"] == "run"]
    assert [each["eventType"] for each in whole] == ["START", "COMPLETE"]
    assert len({each["run"]["runId"] for each in whole}) == 1
    ingests = [each for each in events if each["job"]["name"] == "run.ingest"]
    assert [each["eventType"] for each in ingests] == ["START", "COMPLETE"] * 2
    assert len({each["run"]["runId"] for each in ingests}) == 2
    for event in ingests:
        assert event["run"]["facets"]["parent"]["run"]["runId"] == whole[0]["run"]["runId"]


def test_bad_data_ends_as_rejected_when_it_is_collected(pipe: Staged) -> None:
    load(pipe.warehouse, 5, -1)
    pipe.ingest("shop")
    with pytest.raises(DataRejected, match="no_negative_amount"):
        pipe.stage("build")
    assert (pipe.file()["status"], pipe.file()["exit_code"]) == ("rejected", 3)
    with pytest.raises(ConfigurationError, match="cannot publish yet: build failed"):
        pipe.stage("publish")
    assert query(pipe.warehouse, "select count(*) from ops.incidents") == [(0,)]
    record = pipe.stage("collect")
    assert (record.status, record.exit_code) == ("rejected", 3)
    assert record.reason and "no_negative_amount" in record.reason
    assert steps(record) == {
        "ingest": "done", "build": "failed", "publish": "skipped", "collect": "done",
    }  # fmt: skip
    assert pipe.in_ops() == ("run", "rejected", 3)
    assert query(pipe.warehouse, "select kind, state from ops.incidents") == [("test", "open")]


def test_a_stage_that_is_done_again_opens_the_run_again_also_after_collect(pipe: Staged) -> None:
    load(pipe.warehouse, 5, -1)
    with pytest.raises(DataRejected):
        pipe.stage("build")
    pipe.stage("collect")
    load(pipe.warehouse, 5, 1)
    record = pipe.stage("build")
    assert (record.status, record.exit_code, record.reason) == ("running", None, None)
    pipe.stage("publish")
    record = pipe.stage("collect")
    assert (record.status, record.exit_code) == ("published", 0)
    assert query(pipe.warehouse, "select state from ops.incidents") == [("resolved",)]


def test_one_source_that_fails_is_the_one_to_load_again(pipe: Staged) -> None:
    with pytest.raises(IngestionStopped):
        pipe.ingest("shop", fails="shop", how=IngestionStopped)
    record = pipe.ingest("other")
    assert (record.status, record.exit_code, record.reason) == ("broken", 1, "no answer")
    assert steps(record)["ingest"] == "failed"
    with pytest.raises(ConfigurationError, match="cannot build yet: ingest shop failed"):
        pipe.stage("build")
    record = pipe.ingest("shop")
    assert (record.status, steps(record)["ingest"]) == ("running", "done")
    pipe.stage("build")


def test_what_an_ingest_did_not_come_to_stands_failed_too(pipe: Staged) -> None:
    with pytest.raises(IngestionStopped):
        pipe.ingest("a", "b", "c", fails="b", how=IngestionStopped)
    pipe.ingest("b")
    with pytest.raises(ConfigurationError, match="ingest c failed"):
        pipe.stage("build")


def test_publishing_twice_says_so_and_a_new_build_is_refused(
    pipe: Staged, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe.stage("build")
    pipe.stage("publish")
    settings = replace(pipe.settings, run_id="night")
    assert run_stage(settings, Stage("publish", publish_marts), Console()).published
    assert "publish  already published as version 1" in capsys.readouterr().err
    for name in ("build", "ingest"):
        with pytest.raises(ConfigurationError, match="published already, as version 1"):
            pipe.stage(name, build, "shop")
    pipe.stage("collect")
    run_stage(settings, Stage("collect", collect), Console())
    assert "collect  already over: published as version 1" in capsys.readouterr().err


def test_a_stage_that_was_killed_is_done_again_or_collected(pipe: Staged) -> None:
    pipe.stage("ingest", lambda run: "ok", "shop")
    state = "update ops.stages set state = jsonb_set(state, '{failed}', %s); select 1"
    query(pipe.warehouse, state, json.dumps({"build": vars(Verdict("broken", 1, "killed"))}))
    running = "update ops.stages set state = jsonb_set(state, '{record,steps,1,status}', %s)"
    query(pipe.warehouse, running + "; select 1", '"running"')
    with pytest.raises(ConfigurationError, match="build failed"):
        pipe.stage("publish")
    record = pipe.stage("collect")
    assert (record.status, record.exit_code, record.reason) == ("broken", 1, "killed")
    assert steps(record)["build"] == "failed"
    assert steps(pipe.stage("build"))["build"] == "done"


def test_while_it_works_a_stage_counts_as_killed(pipe: Staged) -> None:
    def look(run: Run) -> str:
        with pipe.warehouse.session() as session:
            state = read_state(session, "night")
        assert state and state.failed["build"].reason == "the stage build was killed"
        return "looked"

    RunFolder(pipe.root / "runs", "night").save(RunRecord("night", "run"))  # before Postgres heard
    assert steps(pipe.stage("build", look))["build"] == "done"


def test_another_run_leaves_an_open_one_alone_for_a_day(pipe: Staged) -> None:
    pipe.ingest("shop")
    pipe.run_id = "whole"
    assert pipe.run("collect").record.buried == []
    assert read_run(pipe.root / "runs", "night")["status"] == "running"
    query(pipe.warehouse, "update ops.stages set touched_at = now() - interval '25 h'; select 1")
    pipe.run_id = "later"
    record = pipe.run("collect").record
    assert record.buried == ["night"]
    assert "run night was found dead after 24 hours without its next stage" in record.notes
    assert read_run(pipe.root / "runs", "night")["status"] == "aborted"
    assert query(pipe.warehouse, "select closed from ops.stages") == [(True,)]


def test_a_failed_run_that_nobody_collects_is_told_of_too(pipe: Staged) -> None:
    with pytest.raises(BuildBroke):
        pipe.stage("build", _broken)
    query(pipe.warehouse, "update ops.stages set touched_at = now() - interval '25 h'; select 1")
    pipe.run_id = "later"
    assert pipe.run("collect").record.buried == ["night"]
    ended = "select status, finished_at is not null from ops.runs where run_id = 'night'"
    assert query(pipe.warehouse, ended) == [("broken", True)]


def _broken(run: Run) -> str:
    raise BuildBroke("no")


def test_a_chamber_that_another_run_has_taken_is_not_published(pipe: Staged) -> None:
    pipe.stage("build")
    pipe.run_id = "whole"
    pipe.run("publish", "collect")
    pipe.run_id = "night"
    with pytest.raises(ConfigurationError, match="run whole has built others in their place"):
        pipe.stage("publish")


def test_another_machine_goes_on_with_what_the_store_has(pipe: Staged, tmp_path: Path) -> None:
    pipe.variables = {"ECLUSE_ARTIFACTS": str(tmp_path / "store")}
    pipe.ingest("shop")
    pipe.stage("build")
    there = Staged(tmp_path / "there", pipe.warehouse)
    there.variables = pipe.variables
    there.stage("publish")
    record = there.stage("collect", collect)
    assert (record.status, record.lineage is not None) == ("published", True)
    assert not [note for note in record.notes if "files" in note]
    assert (there.root / "runs" / "night" / "dbt" / "run_results.json").exists()
    assert (tmp_path / "store" / "published.json").exists()


def test_without_a_store_another_machine_says_what_it_lacks(pipe: Staged, tmp_path: Path) -> None:
    pipe.stage("build")
    there = Staged(tmp_path / "there", pipe.warehouse)
    record = there.stage("publish")
    (note,) = [note for note in record.notes if note.startswith("the files of the stages on ")]
    assert "ECLUSE_ARTIFACTS" in note
    assert there.stage("collect", collect).status == "published"


def test_two_stages_do_not_work_at_once(pipe: Staged) -> None:
    with run_lock(pipe.warehouse, "night"), pytest.raises(RunLocked, match="run night"):
        pipe.stage("build")
    assert not (pipe.root / "runs" / "night").exists()


def test_an_id_must_be_given_and_must_be_new_or_that_of_a_staged_run(pipe: Staged) -> None:
    with pytest.raises(ConfigurationError, match="ECLUSE_RUN_ID"):
        run_stage(replace(pipe.settings, run_id=None), Stage("build", build), Console(quiet=True))
    pipe.run_id = "whole"
    pipe.run("publish", "collect")
    with pytest.raises(ConfigurationError, match="There is a run 'whole' already"):
        pipe.stage("build")


@pytest.mark.parametrize("name", ["build", "publish", "collect"])
def test_a_stage_without_an_id_says_how_to_name_the_run(project: Path, name: str) -> None:
    done = ecluse(project, name, "--json")
    assert done.returncode == 2
    assert "name it, the same for all its stages, with ECLUSE_RUN_ID" in done.stderr
    assert json.loads(done.stdout) == {}


def test_collecting_what_never_began_is_nothing(pipe: Staged) -> None:
    pipe.stage("collect")
    assert not (pipe.root / "runs" / "night").exists()


def test_a_warehouse_that_is_away_leaves_the_record_as_it_was(pipe: Staged) -> None:
    pipe.ingest("shop")
    before = pipe.file()
    gone = replace(pipe.settings, run_id="night", warehouse_url="postgresql://x:y@localhost:1/z")
    with pytest.raises(ConfigurationError.__bases__[0]):
        run_stage(gone, Stage("build", build), Console(quiet=True))
    assert pipe.file() == before


def test_what_is_kept_between_stages_comes_back_as_it_was(pipe: Staged) -> None:
    record = pipe.stage("build")
    record.loads = [LoadRecord("shop", "raw_shop", record.started_at, loaded={"orders": 2})]
    state = State(record, {"publish": Verdict("broken", 1, "no")}, {"run": 1}, "here", True)
    with pipe.warehouse.session() as session:
        keep_state(session, state)
        assert read_state(session, "night") == state
        assert read_state(session, "other") is None


def test_a_lost_connection_in_a_stage_is_got_over(pipe: Staged) -> None:
    tries = []

    def act(run: Run) -> str:
        tries.append(1)
        if len(tries) == 1:
            query(pipe.warehouse, "select pg_terminate_backend(%s)", run.session.info.backend_pid)
            with run.session.cursor() as cursor:
                cursor.execute("select 1")
        return "done"

    assert pipe.stage("build", act).steps[1].retries
