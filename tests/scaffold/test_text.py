"""Python is laid out as ruff lays it out, and files that people have edited keep their words."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.contract import Column, Contract
from ingestion.probe.found import Found, Resource, Since
from orchestration.scaffold.editing import with_columns, with_selected
from orchestration.scaffold.python_code import Call, Name, code
from orchestration.scaffold.rendering import render
from orchestration.scaffold.sync import OutOfStep, sync_sources
from orchestration.settings import ROOT, load_settings
from tests.newcomer import copy_project

VALUES: list[Any] = [
    ("a",), (Name("ORDERS"), "b"), {"type": "offset", "limit": 500, "total_path": None},
    Call("Endpoint", (Name("X"), "x" * 70), {"paginator": {"type": "cursor"}, "rows": "data"}),
    tuple(Call("Column", (f"a_long_name_of_a_column_{n}", "text")) for n in range(3)),
    Call("Contract", (), {"key": ("id",), "columns": (Call("Column", ("v", "text")),)}, long=True),
    {"q": 'a "quoted" \\ word', "u": "Écluse"},
]  # fmt: skip


def ruff(text: str, *args: str, name: str = "x.py") -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *args, "--stdin-filename", name, "-"],
        input=text, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing_to_change() -> None:
    text = "\n".join(f"value = {code(value, 0, 8)}" for value in VALUES) + "\n"
    ruff(text, "format", "--diff")


@pytest.mark.parametrize(
    ("kind", "path", "url"),
    [("sql", "shop.orders", "postgresql://me@host/db"), ("files", "orders_*.tsv", "s3://bucket/x")],
)
def test_tables_and_files_are_written_as_sources_that_can_be_made(
    kind: str, path: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = (Column("id", "whole"), Column("at", "timestamp"))
    contract = Contract("orders", ("id",), columns, unknown="evolve")
    since = Since("at", "", "timestamp") if kind == "sql" else None
    params = {"delimiter": "\t"} if kind == "files" else {}
    resource = Resource(contract, path, since=since, params=params)
    secrets = {"password": "password"} if kind == "sql" else {}
    files = render("shop", Found(kind, url, [resource], secrets=secrets))
    package = tmp_path / f"made_{kind}"
    package.mkdir()
    for name in ("contract.py", "__init__.py"):
        text = files[f"ingestion/sources/shop/{name}"]
        ruff(text, "format", "--diff", name=f"ingestion/sources/shop/{name}")
        (package / name).write_text(text.replace("ingestion.sources.shop", package.name))
    monkeypatch.syspath_prepend(str(tmp_path))
    made = vars(import_module(package.name))
    (place,) = made["TABLES" if kind == "sql" else "FILES"]
    assert place.contract == contract
    assert "shop" in made


SOURCES = """\
# ours
sources:
  - name: shop
    tables:
      - name: orders
        columns:
          - {name: id, description: The order.}
          - name: total
            description: In cents.
            data_tests:
              - not_null

          - &load {name: _dlt_load_id, description: The load.}
      - name: people
        columns:
          - {name: id, description: Who.}
          - *load
"""


@pytest.mark.parametrize("table", ["orders", "people"])
def test_columns_are_added_to_yaml_after_the_own_ones(table: str) -> None:
    added = with_columns(SOURCES, ("sources", "shop", "tables", table), [("mail", "A: b", True)])
    (before, after) = (yaml.safe_load(text)["sources"][0]["tables"] for text in (SOURCES, added))
    for old, new in zip(before, after, strict=True):
        names = [column["name"] for column in new["columns"]]
        if old["name"] != table:
            assert new == old
            continue
        assert names[-2:] == ["mail", "_dlt_load_id"]
        assert new["columns"][-2] == {"name": "mail", "description": "A: b",
                                      "config": {"tags": ["pii"]}}  # fmt: skip
    assert set(SOURCES.splitlines()) <= set(added.splitlines())


def test_columns_are_added_to_a_view_before_its_load_id_and_again_beside_them() -> None:
    sql = "select\n    id,\n\n    -- lineage\n    _dlt_load_id\n\nfrom source\n"
    once = with_selected(sql, ["mail"])
    assert once == sql.replace("    -- lineage", "    -- added\n    mail,\n\n    -- lineage")
    twice = with_selected(once, ["fax"])
    assert twice is not None
    assert "    -- added\n    mail,\n    fax,\n\n    -- lineage" in twice
    assert with_selected("select 1\n", ["mail"]) is None


def test_the_sources_of_this_project_are_in_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sync_sources(load_settings({}, copy_project(tmp_path / "clone")), None, check=True)
    assert capsys.readouterr().out.startswith("In step: ")


def test_a_column_that_no_file_knows_is_out_of_step(tmp_path: Path) -> None:
    root = copy_project(tmp_path / "clone")
    staging = root / "dbt_project" / "models" / "staging" / "jaffle_shop"
    yml = staging / "_jaffle_shop__sources.yml"
    kept = yml.read_text()
    yml.write_text(kept.replace("          - {name: sku, description: The product sold.}\n", "", 1))
    with pytest.raises(OutOfStep, match="1 columns"):
        sync_sources(load_settings({}, root), "jaffle_shop", check=True)
    sync_sources(load_settings({}, root), None, check=False)
    assert '- {name: sku, description: "`sku` as sent."}' in yml.read_text()
    sync_sources(load_settings({}, root), None, check=True)
    yml.write_text(
        kept.replace("{name: sku, d", "{name: gone, description: x}\n          - {name: sku, d", 1)
    )
    with pytest.raises(OutOfStep):
        sync_sources(load_settings({}, root), None, check=False)
