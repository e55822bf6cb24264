"""dbt's artifacts, read from a real build, as the narrow rows that the record keeps."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from orchestration.artifacts import (
    NodeResult,
    TestResult,
    read_build,
    read_freshness,
    write_failed_queries,
)
from orchestration.errors import DataRejected
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.orchestration.small import SmallPipe, load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def artifacts(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The artifacts of a build in which one test failed and one warned."""
    pipe = SmallPipe(tmp_path_factory.mktemp("build") / "p", make_database(server))
    load(pipe.warehouse, 5, -7, 500)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataRejected):
        patch.setenv("ECLUSE_DBT_TARGET", "dev")  # a run says --target prod
        pipe.run("collect")
    (folder,) = pipe.settings.runs_dir.iterdir()
    yield folder / "dbt"


def nodes_of(folder: Path) -> dict[str, NodeResult]:
    return {node.name: node for node in read_build(folder)[0]}


def checks_of(folder: Path) -> dict[str, TestResult]:
    return {test.name: test for test in read_build(folder)[1]}


def test_every_node_is_there_once(artifacts: Path) -> None:
    nodes, _ = read_build(artifacts)
    assert sorted(node.unique_id.split(".")[0] for node in nodes) == [
        "model", "model", "test", "test", "test", "test", "unit_test",
    ]  # fmt: skip
    assert len({node.unique_id for node in nodes}) == 7


def test_a_model_has_its_relation_its_rows_and_its_times(artifacts: Path) -> None:
    node = nodes_of(artifacts)["orders"]
    assert (node.resource_type, node.status, node.rows_affected) == ("model", "success", 3)
    assert node.relation
    assert node.relation.endswith('."marts__next"."orders"')
    assert node.seconds > 0
    assert node.started_at
    assert node.finished_at
    began, ended = map(datetime.fromisoformat, (node.started_at, node.finished_at))
    assert began < ended
    assert began.tzinfo is not None


def test_a_view_has_no_rows(artifacts: Path) -> None:
    assert nodes_of(artifacts)["stg_shop__orders"].rows_affected is None


def test_a_column_test_knows_its_model_and_its_column(artifacts: Path) -> None:
    test = checks_of(artifacts)["unique_orders_id"]
    assert (test.tested, test.column_name) == ("model.ecluse.orders", "id")
    assert (test.status, test.failures, test.severity) == ("pass", 0, "error")


def test_a_failed_test_counts_its_rows(artifacts: Path) -> None:
    test = checks_of(artifacts)["no_negative_amount"]
    assert (test.status, test.failures, test.severity) == ("fail", 1, "error")
    assert test.tested == "model.ecluse.orders"
    assert test.message


def test_a_test_of_severity_warn_warns(artifacts: Path) -> None:
    test = checks_of(artifacts)["no_large_amount"]
    assert (test.status, test.failures, test.severity) == ("warn", 1, "warn")


def test_a_unit_test_is_a_test_too(artifacts: Path) -> None:
    test = checks_of(artifacts)["amounts_are_passed_on"]
    assert (test.status, test.tested) == ("pass", "model.ecluse.orders")


def test_freshness_names_the_table_and_its_age(artifacts: Path) -> None:
    (fresh,) = read_freshness(artifacts)
    assert (fresh.source, fresh.table_name, fresh.status) == ("shop", "orders", "pass")
    assert fresh.age_seconds is not None
    assert 0 <= fresh.age_seconds < 300
    assert fresh.newest_at


def test_the_queries_of_failed_and_warning_tests_are_written_and_no_others(
    artifacts: Path, tmp_path: Path
) -> None:
    written = write_failed_queries(artifacts, tmp_path / "failed")
    assert {path.name for path in written} == {"no_negative_amount.sql", "no_large_amount.sql"}
    text = (tmp_path / "failed" / "no_negative_amount.sql").read_text()
    assert "marts__next" in text, "compiled, so that psql can run it"
    assert text.endswith(";\n")


def test_without_artifacts_nothing_was_built(tmp_path: Path) -> None:
    assert read_build(tmp_path) == ([], [])
    assert read_freshness(tmp_path) == []
    assert write_failed_queries(tmp_path, tmp_path / "failed") == []
    assert not (tmp_path / "failed").exists()


def test_a_result_that_the_manifest_does_not_know_keeps_its_id(tmp_path: Path) -> None:
    result = {"unique_id": "test.e.gone.1", "status": "error", "execution_time": 0.1}
    (tmp_path / "run_results.json").write_text(json.dumps({"results": [result]}))
    ((node,), (test,)) = read_build(tmp_path)
    assert (node.name, node.resource_type, test.tested) == ("test.e.gone.1", "test", None)
    assert (test.failures, test.severity) == (None, "error")


def test_an_artifact_that_is_half_written_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text('{"results": [')
    with pytest.raises(ValueError, match="Expecting value"):
        read_build(tmp_path)
