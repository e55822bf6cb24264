"""A source is found by its folder; one that breaks is named and does not hide the others."""

from pathlib import Path

import pytest

import ingestion.sources
from ingestion import registry
from ingestion.errors import WrongSetting

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
