"""A month of days in one go: every trouble is one incident, told once when it comes and once when
it goes. Real runs with what their steps would have found, real drift, a real receiver."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from ingestion.load import LoadRecord
from orchestration.artifacts import Freshness
from orchestration.console import Console
from orchestration.drift.watch import watch
from orchestration.errors import BuildBroke, DataRejected, IngestionStopped
from orchestration.records import RunRecord, StepRecord, new_run_id
from orchestration.run import Run, recorded_run
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.drift.series import FIRST
from tests.incidents.made import ORDERS, manifest, outcome
from tests.incidents.sinks import REFUSES, Sink
from tests.newcomer import settings_for

pytestmark = pytest.mark.slow
FILL = "truncate marts__next.orders; insert into marts__next.orders select * from generate_series"
TABLE = "create schema marts__next; create table marts__next.orders (id int)"


@dataclass
class Month:
    """The runs of a month, one a day at the same hour."""

    settings: Settings
    warehouse: Warehouse
    day: int = 0
    seen: dict[int, list[str]] = field(default_factory=dict)  # day -> its alerts

    def run(self, rows: int = 0, failures: int = 0, age: float = 2.0, rejected: int = 0,
            dies: str = "") -> Run:  # fmt: skip
        """The next day: rows in the mart, rows that fail its test, hours since the newest row
        came, rows that were rejected, and the step that breaks."""
        self.day += 1
        at = FIRST + timedelta(days=self.day)
        record = RunRecord(new_run_id(at), "run", started_at=at)
        with recorded_run(self.settings, "run", Console(quiet=True), record=record) as run:
            run.changed()
            query(self.warehouse, f"{FILL}(1, {rows or 1000 + 9 * (self.day % 4)}); select 1")
            self._ingest(run, rejected, dies)
            self._build(run, failures, age, dies)
            record.published = {"version": self.day, "tables": ["orders"]}
        return run

    def _ingest(self, run: Run, rejected: int, dies: str) -> None:
        record, step = run.record, StepRecord("ingest", "failed" if dies == "ingest" else "done")
        record.steps.append(step)
        said = {"orders": f"{rejected} rows rejected"} if rejected else {}
        load = LoadRecord("shop", "raw_shop", record.started_at, exceeded=said)
        load.rejected = {"orders": rejected} if rejected else {}
        load.error = "503 at /orders" if dies == "ingest" else None
        record.loads.append(load)
        if load.error:
            raise IngestionStopped(load.error)

    def _build(self, run: Run, failures: int, age: float, dies: str) -> None:
        record, step = run.record, StepRecord("build", "failed")
        record.steps.append(step)
        known = manifest()
        known["nodes"][ORDERS] |= {
            "original_file_path": "models/_m.yml",
            "config": {"group": "sales", "meta": {"drift": {"severity": "alert"}}},
        }
        (run.folder.path / "dbt").mkdir()
        (run.folder.path / "dbt" / "manifest.json").write_text(json.dumps(known))
        if dies == "build":
            raise BuildBroke('model orders: invalid input syntax for type integer: "Ada"')
        status = "pass" if age <= 24 else "warn" if age <= 72 else "error"
        record.freshness = [Freshness("shop", "orders", status, None, age * 3600)]
        record.tests = [outcome("fail" if failures else "pass", failures=failures)]
        watch(run, run.folder.path / "dbt")
        if failures:
            raise DataRejected(f"1 test failed: positive ({failures} rows)")
        step.status = "done"
        record.steps.append(StepRecord("publish", "done"))


@pytest.fixture
def month(tmp_path: Path, warehouse: Warehouse, sink: Sink) -> Month:
    query(warehouse, TABLE + "; select 1")
    return Month(settings_for(tmp_path, warehouse, ECLUSE_ALERTS=sink.url()), warehouse)


def days(month: Month, number: int, **what: object) -> None:
    for _ in range(number):
        if what.get("dies") or what.get("failures"):
            with pytest.raises((IngestionStopped, BuildBroke, DataRejected)):
                month.run(**what)  # type: ignore[arg-type]
        else:
            month.run(**what)  # type: ignore[arg-type]


def test_a_month_has_one_incident_a_trouble_and_two_alerts_each(month: Month, sink: Sink) -> None:
    days(month, 11)
    assert sink.taken == []
    days(month, 3, failures=5)  # 12th to 14th: a test
    days(month, 1, failures=12)  # 15th: worse
    days(month, 2)
    days(month, 2, age=30)  # 18th: stale, a warning
    days(month, 1, age=80)  # 20th: for longer
    days(month, 1)
    days(month, 2, dies="ingest")  # 22nd
    days(month, 1)
    days(month, 1, dies="build")  # 25th
    days(month, 1)
    days(month, 1, rejected=40)  # 27th
    days(month, 1)
    days(month, 1, rows=200)  # 29th: the mart shrinks
    days(month, 2)

    found = query(
        month.warehouse,
        "select key, state, severity, runs_seen from ops.incidents order by opened_at, key",
    )
    assert found == [
        ("test:test.x.positive", "resolved", "error", 4),
        ("freshness:shop", "resolved", "error", 3),
        ("run:ingest:shop", "resolved", "error", 2),
        ("run:build", "resolved", "error", 1),
        ("rejected:shop.orders", "resolved", "warn", 1),
        ("drift:marts.orders", "resolved", "warn", 1),
    ]
    heads = Counter(title.partition("]")[0][1:] for title in sink.titles())
    assert heads == {"opened error": 3, "opened warn": 3, "worse error": 2, "recovered": 6}
    assert not any("Ada" in title + body for _, title, body in sink.taken)


def test_a_channel_that_is_down_for_a_week_costs_no_run_and_gets_all_of_it_later(
    month: Month, sink: Sink
) -> None:
    sink.mode = REFUSES
    days(month, 1, failures=5)
    days(month, 1, dies="ingest")
    run = month.run()
    assert run.record.exit_code == 0
    assert "alerts for ECLUSE_ALERTS#1 wait: it refused, or could not be reached" in (
        run.record.notes
    )
    sink.mode = "ok"
    month.run()
    (title,) = sink.titles()
    assert title.startswith("4 alerts: ")
    month.run()
    assert len(sink.taken) == 1


def test_secrets_of_channels_are_in_no_record_and_no_table(month: Month, sink: Sink) -> None:
    sink.mode = REFUSES
    days(month, 1, failures=5)
    texts = [path.read_text() for path in month.settings.runs_dir.rglob("*.json")]
    for table in ("incidents", "incident_events", "alerts", "runs"):
        texts += map(str, query(month.warehouse, f"select t::text from ops.{table} as t"))
    assert any("ECLUSE_ALERTS#1" in text for text in texts)
    assert not any("geheim" in text for text in texts)
    assert "geheim" not in repr(month.settings)


def test_trouble_with_incidents_is_a_note_and_not_the_end_of_the_run(month: Month) -> None:
    month.run()
    query(month.warehouse, "alter table ops.incidents rename column size to length; select 1")
    run = month.run()
    assert run.record.exit_code == 0
    (note,) = [each for each in run.record.notes if "incidents could not be kept" in each]
    assert "size" in note
    assert not any("InFailedSqlTransaction" in each for each in run.record.notes), (
        "the site goes on with the session"
    )
