"""What a run tells while it goes, written and read."""

from pathlib import Path

import pytest

from orchestration.console import Console
from orchestration.live.progress import FILE, Followed, forget_progress, read_progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr("orchestration.live.progress.time.monotonic", lambda: now[0])
    return now


def test_nodes_are_at_work_and_then_what_they_came_to(tmp_path: Path) -> None:
    console = Followed(Console(quiet=True), tmp_path)
    console.node("model.e.orders", "started", 0.0)
    console.node("test.e.unique_id", "started", 0.0)
    console.node("model.e.orders", "success", 1.5)
    nodes = read_progress(tmp_path).nodes
    assert nodes["model.e.orders"].status == "success"
    assert nodes["model.e.orders"].ended
    assert nodes["test.e.unique_id"].status == "running"
    assert nodes["test.e.unique_id"].ended is None


def test_a_resource_is_told_once_a_second_and_never_loses_its_last_page(
    tmp_path: Path, clock: list[float]
) -> None:
    console = Followed(Console(quiet=True), tmp_path)
    for page in range(1, 1001):
        console.watch("extract", "orders", page * 10, page)
    console.watch("extract", "stores", 6, 1)
    assert read_progress(tmp_path).resources["orders"].rows == 10
    clock[0] += 1
    console.watch("extract", "orders", 10_010, 1_001)
    assert read_progress(tmp_path).resources["orders"].pages == 1_001
    console.watch("extract", "orders", 10_020, 1_002)
    console.watch("normalize", "files", 0, None)
    console.watch("load", "files", 3, 8)
    found = read_progress(tmp_path)
    assert (found.resources["orders"].rows, found.resources["stores"].rows) == (10_020, 6)
    assert len((tmp_path / FILE).read_text().splitlines()) < 10


def test_faults_of_the_api_are_kept(tmp_path: Path) -> None:
    console = Followed(Console(quiet=True), tmp_path)
    console.watch("extract", "fault: orders, page 2: HTTP 429", 0, None)
    assert read_progress(tmp_path).faults == ["orders, page 2: HTTP 429"]


def test_a_line_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    console = Followed(Console(quiet=True), tmp_path)
    console.node("model.e.orders", "started", 0.0)
    with (tmp_path / FILE).open("a") as to:
        to.write('{"at": "2026-01-01T00:00:00+00:00", "node": "model.e.x"}\n["a"]\n{"at": "2026')
    assert list(read_progress(tmp_path).nodes) == ["model.e.orders"]


def test_where_nothing_can_be_written_the_run_goes_on(tmp_path: Path) -> None:
    Followed(Console(quiet=True), tmp_path / "gone").node("model.e.orders", "started", 0.0)
    assert read_progress(tmp_path / "gone").nodes == {}
    forget_progress(tmp_path / "gone")


def test_the_console_behind_it_hears_everything(capsys: pytest.CaptureFixture[str],
                                                tmp_path: Path) -> None:  # fmt: skip
    console = Followed(Console(), tmp_path)
    console.say("a sentence")
    console.node("model.e.orders", "error", 1.0)
    console.watch("extract", "fault: orders: HTTP 500", 0, None)
    said = capsys.readouterr().err
    assert "a sentence" in said
    assert "error: orders" in said
    assert "HTTP 500" in said
