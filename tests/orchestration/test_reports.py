"""What past runs look like to a person: the summary, the list, one run in full."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from ingestion.load import LoadRecord
from orchestration import reports
from orchestration.console import EVERY, Console
from orchestration.errors import ConfigurationError, DataRejected
from orchestration.records import RunFolder, RunRecord, StepRecord
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.orchestration.small import SmallPipe, load

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def history(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A project with two real runs: `good` was published, `bad` was rejected."""
    pipe = SmallPipe(tmp_path_factory.mktemp("history") / "p", make_database(server))
    for run_id, amounts in (("good", (5, 700)), ("bad", (5, -7))):
        load(pipe.warehouse, *amounts)
        pipe.run_id = run_id
        with suppress(DataRejected):
            pipe.run("collect")
    yield pipe.settings


def test_the_list_has_the_newest_run_first_and_says_why_it_stopped(
    history: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.status(history, 10, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["bad", "run", "rejected"]
    assert "1 test failed: no_negative_amount (1 row)" in lines[0]
    assert lines[1].split()[:3] == ["good", "run", "published"]
    assert "sources, when a run last looked:" in lines
    assert lines[-1].split()[:2] == ["shop.orders", "pass"]


def test_the_list_is_as_long_as_asked(
    history: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.status(history, 1, as_json=True)
    assert [run["run_id"] for run in json.loads(capsys.readouterr().out)] == ["bad"]


def test_one_run_is_shown_with_its_failed_tests_and_where_their_rows_are(
    history: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.show(history, "latest", as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith("bad ")
    assert "build    failed" in shown
    assert "publish  skipped" in shown
    assert "fail     no_negative_amount: " in shown
    assert "ecluse psql -f runs/bad/failed/no_negative_amount.sql" in shown
    assert "unique_orders_id" not in shown, "what passed is in the record, not on the screen"
    assert "files    runs/bad/" in shown


def test_a_beginning_of_an_id_is_enough(
    history: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.show(history, "go", as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith("good ")
    assert "warn     no_large_amount" in shown
    assert "note     tests that warn: no_large_amount" in shown


def test_one_run_as_json_is_its_record(
    history: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.show(history, "good", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((history.runs_dir / "good" / "run.json").read_text())


def test_an_unknown_run_is_refused_by_name(history: Settings) -> None:
    with pytest.raises(ConfigurationError, match="There is no run 'nope' in runs/"):
        reports.find_run(history, "nope")


def test_a_run_that_was_killed_has_no_duration_and_its_loads_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings({}, tmp_path)
    killed = RunRecord("killed", "run", status="aborted", reason="killed: found dead")
    killed.loads = [
        LoadRecord(
            "shop", "raw_shop", START, received={"orders": 1200}, loaded={"orders__items": 5}
        )
    ]
    RunFolder(settings.runs_dir, "killed").save(killed)
    reports.status(settings, 10, as_json=False)
    assert (
        capsys.readouterr().out
        == f"{'killed':24} run      aborted            -  killed: found dead\n"
    )
    reports.show(settings, "killed", as_json=False)
    shown = capsys.readouterr().out
    assert "commit   none" in shown
    assert "on       no warehouse reached" in shown
    assert "load     shop (nothing loaded)" in shown
    assert "1,200 received          0 new" in shown
    assert "nested in another          5 new" in shown


def test_a_long_reason_is_cut_in_the_list_and_whole_in_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, reason = load_settings({}, root=tmp_path), "why " * 100
    RunFolder(settings.runs_dir, "long").save(RunRecord("long", "run", reason=reason))
    reports.status(settings, 10, as_json=False)
    listed = capsys.readouterr().out.strip()
    assert len(listed) == reports.LONGEST_LINE
    assert listed.endswith("...")
    reports.show(settings, "long", as_json=False)
    assert reason in capsys.readouterr().out


def test_the_summary_says_what_each_step_did_and_where_to_look() -> None:
    record = RunRecord("r1", "run", status="published", started_at=START)
    record.finished_at = START + timedelta(seconds=12.34)
    record.steps = [StepRecord("ingest", "done", "5 rows"), StepRecord("collect", "skipped")]
    record.notes = ["something to know"]
    lines = reports.summary(record).splitlines()
    assert lines[1] == "run r1: published in 12.3 s"
    assert lines[2].split() == ["ingest", "5", "rows"]
    assert lines[3].split() == ["collect", "skipped"]
    assert lines[4].split(maxsplit=1) == ["note", "something to know"]
    assert any("runs/r1/" in line for line in lines)


@pytest.mark.parametrize(
    ("status", "word"),
    [("rejected", "NOT PUBLISHED"), ("broken", "BROKEN"), ("cancelled", "cancelled"), ("x", "x")],
)
def test_the_summary_of_a_run_that_did_not_publish_says_so(status: str, word: str) -> None:
    assert word in reports.summary(RunRecord("r1", "run", status=status)).splitlines()[1]


@pytest.mark.parametrize(
    ("ago", "text"),
    [(5, "5 s"), (130, "2 min"), (3 * 3600, "3 h"), (72 * 3600, "3 d"), (None, "never")],
)
def test_an_age_is_told_in_the_unit_that_fits(ago: int | None, text: str) -> None:
    moment = None if ago is None else (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    assert reports._age(moment) == text


def test_the_plain_console_says_each_change_of_a_step_once() -> None:
    out = StringIO()
    console = Console(out=out)
    record = RunRecord("r1", "run")
    step = StepRecord("build", "running", started_at=START)
    record.steps = [step, StepRecord("publish")]
    for _ in range(3):
        console.show(record)
    record.steps[0] = replace(
        step, status="done", detail="10 models", finished_at=START + timedelta(seconds=2)
    )
    console.show(record)
    assert out.getvalue() == "build    ...\nbuild    10 models (2.0 s)\n"


def test_the_plain_console_names_failed_nodes_and_only_those() -> None:
    out = StringIO()
    console = Console(out=out)
    console.node("model.e.orders", "started", 0)
    console.node("model.e.orders", "success", 1)
    console.node("test.e.unique_id.123", "fail", 0.5)
    assert out.getvalue() == "         fail: unique_id (0.5 s)\n"


def test_the_plain_console_tells_of_progress_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, now = StringIO(), [100.0]
    monkeypatch.setattr("orchestration.console.time.monotonic", lambda: now[0])
    console = Console(out=out)
    for rows in (0, 1000, 2000, 3000):
        console.watch("extract", "orders", rows, None)
        now[0] += EVERY / 2
    (line,) = out.getvalue().splitlines()
    assert "orders: 2,000 rows" in line
    assert "400 rows/s" in line


def test_a_quiet_console_says_nothing() -> None:
    out = StringIO()
    console = Console(quiet=True, out=out)
    console.say("x")
    console.node("model.e.orders", "error", 1)
    assert out.getvalue() == ""
