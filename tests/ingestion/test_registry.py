"""A source is found by its folder; one that breaks is named and does not hide the others."""

import re
from datetime import datetime
from pathlib import Path

import pytest

import ingestion.sources
from ingestion import registry
from ingestion.errors import WrongSetting
from ingestion.load import load
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.ingestion.declared.habits import Habits, bearer

DOCS = ROOT / "docs" / "sources.md"
CONTRACT = """
from ingestion.contract import Column, Contract
INNER = Contract("a__b__c", (), (Column("value", "text"),))
A = Contract("a", ("id",), (Column("id", "text"),),
             children=(("b", Contract("a__b", (), (), children=(("c", INNER),))),))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a new source, which is found beside the others."""
    name = f"made_{tmp_path.name}"[:40].lower().replace("-", "_")
    (tmp_path / name).mkdir()
    monkeypatch.setattr(ingestion.sources, "__path__", [*ingestion.sources.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "SOURCES", (*registry.SOURCES, name))
    return tmp_path / name


def test_sources_are_the_folders_in_the_order_of_their_names() -> None:
    folders = sorted(path.name for path in registry.FOLDER.iterdir()
                     if (path / "__init__.py").exists())  # fmt: skip
    assert list(registry.SOURCES) == folders
    assert "jaffle_shop" in folders


def test_lists_in_lists_are_promised_too(folder: Path) -> None:
    (folder / "__init__.py").touch()
    (folder / "contract.py").write_text(CONTRACT)
    tables = [contract.table for contract in registry.contracts_of(folder.name)]
    assert sorted(tables) == ["a", "a__b", "a__b__c"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_that_name", "cannot be imported .ModuleNotFoundError"),
        ("x = 1 +", "cannot be imported .SyntaxError"),
        ("x = 1", "has no @dlt.source function"),
    ],
)
def test_a_folder_that_breaks_is_named(folder: Path, code: str, said: str) -> None:
    (folder / "__init__.py").write_text(code)
    with pytest.raises(WrongSetting, match=said) as caught:
        registry.find_source(folder.name)
    assert f"ingestion/sources/{folder.name}/__init__.py" in str(caught.value)


def test_the_source_of_the_docs_loads_with_its_secret_from_the_environment(
    tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("contract", "__init__"):
        path = tmp_path / "desk" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        (code,) = re.findall(rf"```python\n# \S+/desk/{name}.py\n(.*?)```", DOCS.read_text(), re.S)
        path.write_text(code)
    monkeypatch.setattr(ingestion.sources, "__path__", [*ingestion.sources.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "SOURCES", ("desk", "jaffle_shop"))
    row = {"id": 1, "updated_at": "2024-01-01T00:00:00+01:00", "score": 4.5, "tags": ["new"],
           "requester": {"email": "a@b.c"}, "late": True}  # fmt: skip
    with Habits([]) as api:
        api.login = bearer("open-sesame")
        api.answer = lambda path, query: ({"data": [row], "next": None}, {})
        monkeypatch.setenv("SOURCES__DESK__BASE_URL", api.url)
        with pytest.raises(WrongSetting, match=r"desk: .*api_token.*SOURCES__DESK__"):
            load("desk", warehouse.url(), tmp_path / "w")
        monkeypatch.setenv("SOURCES__DESK__API_TOKEN", "open-sesame")
        record = load("desk", warehouse.url(), tmp_path / "w", tmp_path / "artifacts")
    assert api.asked == ["/tickets?limit=1000"]
    assert record.loaded == {"tickets": 1, "tickets__tags": 1}
    sql = "select id, updated_at, requester__email, score, late from raw_desk.tickets"
    assert query(warehouse, sql) == [(1, datetime(2023, 12, 31, 23), "a@b.c", 4.5, "true")]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"open-sesame" in path.read_bytes()]
