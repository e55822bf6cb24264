"""Which run the live page shows, and what of it."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.live.feed import part
from orchestration.live.now import look
from tests.live.recorded import ended, node, record, settings_of, step, tell

NO_PROCESS = 2**22 + 1  # beyond the largest number that Linux gives


def test_before_the_first_run_it_says_how_to_make_one(tmp_path: Path) -> None:
    assert look(settings_of(tmp_path)) is None
    assert "make run" in part(None)


def test_a_run_at_work_is_shown_with_its_nodes_as_they_are_now(tmp_path: Path) -> None:
    ended(tmp_path, "20260101T000000Z-0001", nodes=[_node("model.e.orders", 3.0)])
    record(tmp_path, "20260102T000000Z-0002", step("ingest"), step("build", "running"))
    tell(tmp_path, "20260102T000000Z-0002", node("model.e.orders"), node("test.e.unique_id.a1"),
         node("test.e.unique_id.a1", "pass", 0.1), node("unit_test.e.orders.adds_up", "fail"),
         {"resource": "orders", "rows": 12_000, "pages": 4})  # fmt: skip
    view = look(settings_of(tmp_path))
    assert view
    assert (view.head, view.done, view.busy, view.usual_nodes) == ("Running: build", 2, 1, 1)
    assert view.usual == 20.0
    bars = {bar.name: bar for bar in view.timeline.bars}
    assert set(bars) == {
        "ingest", "orders: 12,000 rows, 4 pages", "build", "orders", "unique_id", "adds_up",
    }  # fmt: skip
    assert bars["orders"].status == "running"
    assert bars["orders"].usual == 3.0
    assert bars["build"].seconds >= 5
    assert bars["build"].left + bars["build"].width > 990, "it grows to the right edge"
    text = part(view)
    assert "2 nodes done (1 the last time), 1 at work" in text
    assert "(usually 20.0 s)" in text


def test_nodes_at_work_are_shown_among_hundreds_that_are_done(tmp_path: Path) -> None:
    record(tmp_path, "r", step("build", "running"))
    tell(tmp_path, "r", *(node(f"model.e.m{n}", "success") for n in range(300)), node("model.e.x"))
    view = look(settings_of(tmp_path))
    assert view
    assert "x" in {bar.name for bar in view.timeline.bars}
    assert view.timeline.hidden == 241


def test_a_run_that_waits_gives_way_to_the_one_it_waits_for(tmp_path: Path) -> None:
    record(tmp_path, "20260101T000000Z-0001", step("build", "running"))
    record(tmp_path, "20260102T000000Z-0002", status="waiting")
    view = look(settings_of(tmp_path))
    assert view
    assert view.run["run_id"] == "20260101T000000Z-0001"
    ended(tmp_path, "20260101T000000Z-0001")
    view = look(settings_of(tmp_path))
    assert view
    assert view.head == "Waiting for the warehouse"


def test_a_killed_run_is_not_at_work_and_shows_how_far_it_came(tmp_path: Path) -> None:
    record(tmp_path, "r", step("build", "running"), pid=NO_PROCESS)
    tell(tmp_path, "r", node("model.e.orders"))
    view = look(settings_of(tmp_path))
    assert view
    assert not view.going
    assert "orders" in {bar.name for bar in view.timeline.bars}


def test_of_a_run_on_another_machine_its_files_tell(tmp_path: Path) -> None:
    record(tmp_path, "r", step("build", "running"), host="elsewhere", pid=NO_PROCESS)
    view = look(settings_of(tmp_path))
    assert view
    assert view.going
    later = datetime.now(UTC) + timedelta(minutes=16)
    view = look(settings_of(tmp_path), later)
    assert view
    assert not view.going
    tell(tmp_path, "r", node("model.e.orders"))
    new = time.time() + 600
    os.utime(tmp_path / "runs" / "r" / "progress.jsonl", (new, new))
    view = look(settings_of(tmp_path), later)
    assert view
    assert view.going


def test_a_run_that_collects_after_its_switch_is_still_at_work(tmp_path: Path) -> None:
    record(tmp_path, "r", step("publish"), step("collect", "running"), status="published",
           published={"version": 7, "tables": []})  # fmt: skip
    view = look(settings_of(tmp_path))
    assert view
    assert view.head == "Running: collect"
    assert "Published version 7" in part(view)


def test_an_ended_run_leads_to_its_page_once_there_is_one(tmp_path: Path) -> None:
    ended(tmp_path, "r", "broken", reason="the API <broke>")
    view = look(settings_of(tmp_path))
    assert view
    assert (view.head, view.page) == ("Broken", None)
    (tmp_path / "site" / "runs").mkdir(parents=True)
    (tmp_path / "site" / "runs" / "r.html").touch()
    view = look(settings_of(tmp_path))
    assert view
    assert view.page == "runs/r.html"
    text = part(view)
    assert 'href="runs/r.html"' in text
    assert "&lt;broke&gt;" in text
    assert "href" not in part(replace(view, page=None))


def _node(unique_id: str, seconds: float) -> dict[str, object]:
    return {
        "unique_id": unique_id, "name": unique_id.split(".")[2], "resource_type": "model",
        "status": "success", "message": None, "seconds": seconds, "started_at": None,
        "finished_at": None,
    }  # fmt: skip
