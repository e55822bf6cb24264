"""A wrong setting of a source is named before the API is asked for anything."""

from pathlib import Path

import pytest

from ingestion.errors import SourceFailed, WrongSetting
from ingestion.load import load
from orchestration.warehouse import Warehouse
from tests.ingestion.peer import Peer


@pytest.mark.parametrize(
    ("name", "value"), [("PAGE_SIZE", "many"), ("PAGE_SIZE", "0"), ("LOOKBACK_DAYS", "-1")]
)
def test_a_number_that_is_none_is_named(
    warehouse: Warehouse, api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(f"SOURCES__JAFFLE_SHOP__{name}", value)
    with pytest.raises(WrongSetting) as caught:
        load("jaffle_shop", warehouse.url(), tmp_path, base_url=api)
    assert name.lower() in str(caught.value).lower()
    assert "SOURCES__JAFFLE_SHOP__" in str(caught.value)


@pytest.mark.parametrize("name", ["nosuch", "orders"])
def test_only_a_snapshot_may_be_empty(
    warehouse: Warehouse, api: str, tmp_path: Path, name: str
) -> None:
    with pytest.raises(WrongSetting, match=f"'{name}' is no snapshot.*customers, items, products"):
        load("jaffle_shop", warehouse.url(), tmp_path, base_url=api, allow_empty=(name,))


def test_dlts_copy_of_the_trace_does_not_outlive_the_load(
    warehouse: Warehouse, api: str, tmp_path: Path
) -> None:
    load("jaffle_shop", warehouse.url(), tmp_path, base_url=api)
    assert (tmp_path / "jaffle_shop" / "state.json").exists(), "dlt's own commands find the rest"
    assert not list(tmp_path.rglob("trace.pickle")), "it quotes every argument, a secret too"


def test_a_token_from_the_environment_lets_us_in_and_is_written_nowhere(
    warehouse: Warehouse, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.login = "Bearer open-sesame"
    with pytest.raises(SourceFailed, match="401: it wants credentials"):
        load("jaffle_shop", warehouse.url(), tmp_path / "w", tmp_path / "a", base_url=peer.url)
    monkeypatch.setenv("SOURCES__JAFFLE_SHOP__API_TOKEN", "open-sesame")
    record = load("jaffle_shop", warehouse.url(), tmp_path / "w", tmp_path / "a", base_url=peer.url)
    assert record.loaded["orders"] == len(peer.tables["orders"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"open-sesame" in path.read_bytes()]
