"""The calendar of the demo shop moves by a day with each load, and never back."""

import os
import re
from pathlib import Path

import pytest
import requests

from orchestration.demo import DESK_TOKEN, demo_for, demo_source
from orchestration.settings import ROOT, Settings, load_settings

pytestmark = pytest.mark.slow


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


def test_one_server_plays_both_sources_and_its_token_is_gone_with_it(settings: Settings) -> None:
    with demo_for(settings, ("jaffle_shop", "support")) as demo:
        shop, desk = (demo.options(name)["base_url"] for name in ("jaffle_shop", "support"))
        assert shop.replace("/api/v1", "/support/v1") == desk
        login = {"Authorization": f"Bearer {os.environ[DESK_TOKEN]}"}
        assert requests.get(f"{desk}/tickets", headers=login, timeout=5).json()["data"]
        assert demo.options("another") == {}
    assert DESK_TOKEN not in os.environ
    day = (settings.state_dir / "demo.json").read_text()
    with demo_for(settings, ("support",)) as demo:
        demo.options("support")
    assert (settings.state_dir / "demo.json").read_text() == day, "the shop's calendar, not its own"


@pytest.mark.parametrize(
    ("own", "shop", "desk"),
    [({"SOURCES__JAFFLE_SHOP__BASE_URL": "http://shop"}, {"base_url": "http://shop"}, {}),
     ({"SOURCES__JAFFLE_SHOP__BASE_URL": "http://shop", "SOURCES__SUPPORT__BASE_URL": "http://d"},
      {"base_url": "http://shop"}, {"base_url": "http://d"})],
)  # fmt: skip
def test_the_demo_s_desk_is_never_asked_beside_a_shop_of_one_s_own(
    tmp_path: Path, own: dict[str, str], shop: dict[str, str], desk: dict[str, str]
) -> None:
    with demo_for(load_settings(own, tmp_path), ("jaffle_shop", "support")) as demo:
        assert (demo.options("jaffle_shop"), demo.options("support")) == (shop, desk)


def test_what_make_break_wrote_down_is_committed_until_make_fix(settings: Settings) -> None:
    def answer() -> int:
        with demo_source(settings) as url:
            return requests.get(f"{url}/stores", timeout=5).status_code

    assert answer() == 200
    written = re.search(r"^BROKEN := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert written
    (settings.state_dir / "demo_faults").write_text(f"404@stores?times=-1 {written.group(1)}\n")
    assert answer() == 404
    (settings.state_dir / "demo_faults").unlink()
    assert answer() == 200
