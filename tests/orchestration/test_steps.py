"""Build, publish, collect on a small project: what reaches readers, and what is said when not."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration import steps
from orchestration.dbt import DbtOutcome
from orchestration.embedded import binary
from orchestration.errors import (
    BuildBroke,
    ConfigurationError,
    DataRejected,
    IngestionStopped,
    PublishBlocked,
)
from orchestration.records import read_runs
from orchestration.steps.build import _judge
from orchestration.warehouse import Warehouse
from orchestration.workflow import Step, execute
from tests.databases import query
from tests.orchestration.small import MART, MODELS, SmallPipe, load

pytestmark = pytest.mark.slow  # two seconds each, forty in all


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> SmallPipe:
    return SmallPipe(tmp_path / "p", warehouse)


def last(pipe: SmallPipe) -> dict:
    return read_runs(pipe.settings.runs_dir)[0]


def test_what_passes_is_published_documented_and_recorded(pipe: SmallPipe) -> None:
    run = pipe.run()
    assert pipe.amounts() == [5, 7]
    assert (run.record.status, run.record.exit_code) == ("published", 0)
    assert [step.status for step in run.record.steps] == ["done"] * 3
    assert run.record.steps[0].detail == "2 models, 5 of 5 tests passed"
    assert run.record.steps[1].detail.startswith("1 marts switched to version 1 in ")
    kept = {path.name for path in (run.folder.path / "dbt").iterdir()}
    assert kept == {"manifest.json", "run_results.json", "sources.json", "catalog.json"}
    assert (run.folder.path / "logs" / "dbt.log").exists()
    catalog = json.loads((run.folder.path / "dbt" / "catalog.json").read_text())
    assert catalog["nodes"]["model.ecluse.orders"]["metadata"]["schema"] == "marts"
    published = {path.name for path in (pipe.root / "target" / "published").iterdir()}
    assert published == {"manifest.json", "catalog.json", "index.html", "lineage.json"}
    assert query(pipe.warehouse, "select count(*) from ops.nodes") == [(7,)]


def test_a_failing_test_keeps_readers_on_the_old_marts_and_says_what_failed(
    pipe: SmallPipe,
) -> None:
    pipe.publish_by_hand()
    load(pipe.warehouse, 5, -7, -9)
    with pytest.raises(DataRejected) as caught:
        pipe.run()
    said = str(caught.value)
    assert caught.value.exit_code == 3
    assert "no_negative_amount (2 rows)" in said
    assert "Nothing was published" in said
    assert f"ecluse runs show {last(pipe)['run_id']}" in said
    assert pipe.amounts() == [5, 7]
    assert (last(pipe)["status"], last(pipe)["exit_code"]) == ("rejected", 3)
    assert [step["status"] for step in last(pipe)["steps"]] == ["failed", "skipped", "done"]
    failed = "select name, failures, status from ops.test_results where status = 'fail'"
    assert query(pipe.warehouse, failed) == [("no_negative_amount", 2, "fail")]


def test_the_rows_that_failed_a_test_can_be_looked_at_with_the_file_it_left(
    pipe: SmallPipe,
) -> None:
    load(pipe.warehouse, 5, -7, -9)
    with pytest.raises(DataRejected):
        pipe.run("collect")
    path = pipe.settings.runs_dir / last(pipe)["run_id"] / "failed" / "no_negative_amount.sql"
    done = subprocess.run(
        [binary("psql"), "-XAtq", "-f", str(path)], env=pipe.warehouse.environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["2|-7", "3|-9"]


def test_after_the_data_is_mended_the_next_run_publishes(pipe: SmallPipe) -> None:
    load(pipe.warehouse, -5)
    with pytest.raises(DataRejected):
        pipe.run("collect")
    load(pipe.warehouse, 5)
    assert pipe.run("collect").record.status == "published"
    assert pipe.amounts() == [5]


def test_a_row_without_a_key_fails_its_test_and_not_the_build(pipe: SmallPipe) -> None:
    query(pipe.warehouse, "insert into raw_shop.orders values (null, 1, now()); select 1")
    with pytest.raises(DataRejected, match=r"not_null_orders_id \(1 row\)"):
        pipe.run("collect")


def test_a_warning_publishes_and_leaves_a_note(pipe: SmallPipe) -> None:
    load(pipe.warehouse, 5, 700)
    run = pipe.run("collect")
    assert run.record.status == "published"
    assert run.record.notes == [
        "tests that warn: no_large_amount",
        "incident 1 opened: test no_large_amount of marts.orders failed",
    ]
    assert run.record.steps[0].detail.endswith("4 of 5 tests passed, 1 warned")
    assert (run.folder.path / "failed" / "no_large_amount.sql").exists()


def test_a_broken_model_is_no_bad_data(pipe: SmallPipe) -> None:
    pipe.publish_by_hand()
    pipe.write("models/marts/_models.yml", MODELS.partition("unit_tests:")[0])
    pipe.write("models/marts/orders.sql", MART.replace("amount", "amount / 0 as amount"))
    with pytest.raises(BuildBroke) as caught:
        pipe.run("collect")
    assert caught.value.exit_code == 1
    assert "model orders broke: " in str(caught.value)
    assert "division by zero" in str(caught.value)
    assert pipe.amounts() == [5, 7]
    assert (last(pipe)["status"], last(pipe)["exit_code"]) == ("broken", 1)


def test_a_test_whose_query_is_broken_is_no_bad_data_either(pipe: SmallPipe) -> None:
    pipe.write("tests/no_negative_amount.sql", "select nothing from {{ ref('orders') }}")
    with pytest.raises(BuildBroke, match=r'test no_negative_amount broke: .*"nothing"'):
        pipe.run("collect")


def test_a_unit_test_that_fails_stops_the_publication(pipe: SmallPipe) -> None:
    pipe.publish_by_hand()
    pipe.write("models/marts/orders.sql", MART.replace("amount", "amount + 1 as amount"))
    with pytest.raises(DataRejected, match="amounts_are_passed_on"):
        pipe.run("collect")
    assert pipe.amounts() == [5, 7]


def test_a_mart_that_breaks_its_contract_is_broken(pipe: SmallPipe) -> None:
    pipe.write("models/marts/orders.sql", MART.replace("amount", "amount::text as amount"))
    with pytest.raises(BuildBroke, match="contract"):
        pipe.run("collect")


def test_a_project_that_does_not_compile_leaves_a_record(pipe: SmallPipe) -> None:
    pipe.write("models/marts/orders.sql", "select * from {{ ref('missing') }}")
    with pytest.raises(BuildBroke, match="missing"):
        pipe.run("collect")
    assert last(pipe)["status"] == "broken"
    assert last(pipe)["steps"][0]["status"] == "failed"


def test_results_of_an_earlier_build_are_not_taken_for_those_of_one_that_crashed(
    pipe: SmallPipe,
) -> None:
    assert pipe.run("collect").record.nodes
    query(
        pipe.warehouse,
        "drop schema staging cascade; create function no() returns event_trigger "
        "language plpgsql as $$ begin if current_query() like '%dbt%' "
        "then raise 'no schemas today'; end if; end $$; "
        "create event trigger no "
        "on ddl_command_start when tag in ('CREATE SCHEMA') execute function no(); select 1",
    )
    with pytest.raises(BuildBroke, match="no schemas today"):
        pipe.run("collect")
    assert (last(pipe)["nodes"], last(pipe)["tests"]) == ([], [])


def test_sources_that_are_stale_are_a_note_and_rows_in_ops(pipe: SmallPipe) -> None:
    query(
        pipe.warehouse, "update raw_shop.orders set loaded_at = now() - interval '20 d'; select 1"
    )
    run = pipe.run("collect")
    assert run.record.status == "published"
    stale, incident = run.record.notes
    assert stale == "stale sources: shop.orders"
    assert incident.startswith(
        "incident 1 opened: source shop is stale: orders; the newest row is "
    )
    fresh = query(
        pipe.warehouse, "select source, table_name, status, age_seconds from ops.freshness"
    )
    assert fresh[0][:3] == ("shop", "orders", "error")
    assert 20 * 86400 <= fresh[0][3] < 20 * 86400 + 600


def test_a_reader_in_the_way_is_named_and_the_build_is_kept(pipe: SmallPipe) -> None:
    pipe.publish_by_hand()
    load(pipe.warehouse, 1)
    with pipe.warehouse.session() as reader, reader.cursor() as cursor:
        cursor.execute("begin; select * from marts.orders")
        with pytest.raises(PublishBlocked, match=f"pid {reader.info.backend_pid} "):
            pipe.run("collect")
    assert (pipe.amounts(), pipe.amounts("marts__next")) == ([5, 7], [1])
    assert last(pipe)["exit_code"] == 1


def test_many_failed_tests_are_counted_and_the_first_are_named(pipe: SmallPipe) -> None:
    with pipe.open() as run:
        failed = [
            replace(_result(), name=f"test_{n}", unique_id=f"test.e.test_{n}", failures=1234)
            for n in range(7)
        ]
        run.record.tests = failed
        with pytest.raises(DataRejected) as caught:
            _judge(run, DbtOutcome(False, ()))
    said = str(caught.value)
    assert said.startswith("7 tests failed: test_0 (1,234 rows); ")
    assert "test_4 (1,234 rows) (and 2 more)" in said
    assert "test_5" not in said


def test_a_dbt_that_fails_without_a_node_is_broken_and_says_what_dbt_said(pipe: SmallPipe) -> None:
    with pipe.open() as run, pytest.raises(BuildBroke, match="the hook failed"):
        _judge(run, DbtOutcome(False, ("the hook failed",)))


@pytest.mark.parametrize(
    ("base_url", "kind", "code", "said"),
    [
        ("http://127.0.0.1:9/api/v1", IngestionStopped, 1, r"http://127\.0\.0\.1:9/api/v1/orders"),
        ("shop.example/api/v1", ConfigurationError, 2, "shop.example/api/v1 is no address"),
    ],
)
def test_an_api_that_cannot_be_asked_stops_the_run_before_the_build(
    pipe: SmallPipe,
    monkeypatch: pytest.MonkeyPatch,
    base_url: str,
    kind: type[Exception],
    code: int,
    said: str,
) -> None:
    for name in ("SOURCES__JAFFLE_SHOP__PAGE_SIZE", "SOURCES__JAFFLE_SHOP__LOOKBACK_DAYS"):
        monkeypatch.setenv(name, "1")  # the small project has no settings of dlt
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "1")
    with pytest.raises(kind, match=said), pipe.open() as run:
        run.settings = replace(pipe.settings, base_url=base_url)
        steps.ingest(run, ("jaffle_shop",))
    assert last(pipe)["exit_code"] == code
    assert last(pipe)["loads"][0]["error"]


def _result() -> object:
    from orchestration.artifacts import TestResult

    return TestResult("u", "n", None, None, "error", "fail", 1, None, 0.1)


def test_what_breaks_after_the_publication_does_not_undo_it(pipe: SmallPipe) -> None:
    def break_down() -> str:
        raise BuildBroke("the docs could not be written")

    with pytest.raises(BuildBroke), pipe.open() as run:
        build, publish = steps.whole_run(run)[1:3]
        execute((build, publish, Step("collect", break_down, always=True)), run.record, run.changed)
    assert (last(pipe)["status"], last(pipe)["exit_code"]) == ("published", 1)
    assert "docs" in last(pipe)["reason"]
