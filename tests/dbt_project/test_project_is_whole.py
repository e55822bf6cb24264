"""What dbt itself does not insist on: descriptions, owners, contracts, keys, no deprecations."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse

NOWHERE = Warehouse("nowhere", 5432, "nobody", "", "nothing")  # parsing connects to nothing


def dbt(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *args],
        env=os.environ
        | NOWHERE.environment()
        | {"DBT_PROFILES_DIR": str(ROOT), "DBT_PROJECT_DIR": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    target: Path = tmp_path_factory.mktemp("target")
    done = dbt("--show-all-deprecations", "parse", "--target", "prod",
               "--target-path", str(target), "--log-path", str(target))  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout, json.loads((target / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(parsed: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    nodes = parsed[1]["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


@pytest.fixture(scope="module")
def marts(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [model for model in models if "marts" in model["fqn"]]


def test_nothing_in_the_project_is_deprecated(parsed: tuple[str, dict[str, Any]]) -> None:
    assert "deprecat" not in parsed[0].lower()
    assert "[WARNING]" not in parsed[0]


def test_every_model_and_column_is_described(models: list[dict[str, Any]]) -> None:
    assert len(models) >= 14
    for model in models:
        assert model["description"], model["name"]
        assert model["columns"], model["name"]
        for column in model["columns"].values():
            assert column["description"], f"{model['name']}.{column['name']}"


def test_every_mart_has_a_contract_an_owner_and_a_key(marts: list[dict[str, Any]]) -> None:
    files = {path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert {mart["name"] for mart in marts} == files > {"customers", "orders", "daily_sales"}
    for mart in marts:
        name = mart["name"]
        assert mart["contract"]["enforced"], name
        assert mart["config"]["meta"]["owner"], name
        assert mart["group"], name
        assert mart["config"]["materialized"] == "table", "marts are never incremental"
        assert any(index.get("unique") for index in mart["config"]["indexes"]), name
        assert mart["schema"] == "marts__next", "never built where readers look"
        assert all(column["data_type"] for column in mart["columns"].values()), name
        assert "float" not in json.dumps(mart["columns"]), "money is exact"


@pytest.mark.slow
def test_marts_are_built_in_marts_next_and_docs_describe_marts(tmp_path: Path) -> None:
    done = dbt("ls", "--target", "prod", "--vars", '{"marts_schema": "marts"}', "--target-path",
               str(tmp_path), "--log-path", str(tmp_path), "--output", "json", "--output-keys",
               "name", "schema", "--select", "customers", "--resource-type", "model")  # fmt: skip
    assert '"schema": "marts"' in done.stdout, done.stdout


@pytest.mark.slow
def test_a_person_builds_into_schemas_of_their_own(tmp_path: Path) -> None:
    done = dbt("ls", "--target-path", str(tmp_path), "--log-path", str(tmp_path), "--output",
               "json", "--output-keys", "schema", "--resource-type", "model")  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert {row["schema"] for row in rows} == {"dev_staging", "dev_intermediate", "dev_marts"}


def test_every_source_has_an_owner_and_every_exposure_says_which_columns(
    parsed: tuple[str, dict[str, Any]],
) -> None:
    manifest = parsed[1]
    assert len(manifest["exposures"]) >= 2
    for exposure in manifest["exposures"].values():
        assert exposure["owner"]["email"]
        assert exposure["config"]["meta"]["columns"] or exposure["meta"]["columns"]
    for source in manifest["sources"].values():
        assert source["description"], source["name"]
        assert source["columns"], source["name"]


def test_every_data_test_on_facts_across_models_says_which_fact() -> None:
    tests = sorted((ROOT / "dbt_project" / "tests").glob("*.sql"))
    assert len(tests) >= 4
    for path in tests:
        assert path.read_text().lstrip().startswith(("--", "{#")), path.name
