"""The calendar of the demo shop moves by a day with each load, and never back."""

from pathlib import Path

import pytest
import requests

from orchestration.demo import demo_source
from orchestration.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"ECLUSE_DEMO_ORDERS": "200"}, tmp_path)


def orders(settings: Settings) -> int:
    with demo_source(settings) as url:
        counts = requests.get(f"{url}/row-counts", timeout=5).json()
    return {each["table_name"]: each["row_count"] for each in counts}["orders"]


def test_a_kill_while_the_day_is_written_down_does_not_open_the_shop_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = settings.state_dir / "demo.json"
    orders(settings)
    before = days.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: 1 / 0)  # as near to a kill as we get in-process
        with pytest.raises(ZeroDivisionError):
            orders(settings)
    assert days.read_text() == before
    orders(settings)
    assert days.read_text() == before.replace("365", "366")
