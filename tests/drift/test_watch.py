"""Days of a mart go by: what is noted, kept, blocked and accepted. No dbt: a manifest by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli import ecluse
from orchestration.console import Console
from orchestration.drift.watch import watch
from orchestration.errors import ConfigurationError, DataRejected
from orchestration.run import Run, recorded_run
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.drift.series import FIRST
from tests.newcomer import settings_for

pytestmark = pytest.mark.slow

TABLE = "create schema marts__next; create table marts__next.orders (id int, name text, amount int)"
FILL = """
truncate marts__next.orders;
insert into marts__next.orders
select n, 'Ada Secret', case when n > %s then 10 + n %% 5 end from generate_series(1, %s) as n
"""


@dataclass
class Mart:
    """A mart `orders` whose runs come once a day."""

    settings: Settings
    warehouse: Warehouse
    drift: dict[str, Any] = field(default_factory=dict)
    day: int = 0

    def run(self, rows: int, nulls: int = 0) -> Run:
        """The next day's build, of so many rows, some of them without an amount."""
        with self.warehouse.session() as session, session.cursor() as cursor:
            cursor.execute(FILL, (nulls, rows))
        columns = {"name": {"tags": ["pii"]}, "id": {}, "amount": {}}
        node = {"resource_type": "model", "schema": "marts__next", "alias": "orders",
                "name": "orders", "original_file_path": "models/_m.yml", "columns": columns,
                "config": {"meta": {"drift": self.drift}}}  # fmt: skip
        self.day += 1
        with recorded_run(self.settings, "run", Console(quiet=True)) as run:
            run.changed()
            run.record.started_at = FIRST + timedelta(days=self.day)
            manifest = {"nodes": {"model.x.orders": node}, "sources": {}}
            (run.folder.path / "manifest.json").write_text(json.dumps(manifest))
            watch(run, run.folder.path)
        return run

    def ordinary(self, days: int = 11) -> None:
        """So many days on which nothing happens."""
        for day in range(days):
            assert not self.run(1000 + 7 * (day % 3)).record.drifts


@pytest.fixture
def mart(tmp_path: Path, warehouse: Warehouse) -> Mart:
    query(warehouse, TABLE + "; select 1")
    return Mart(settings_for(tmp_path, warehouse), warehouse)


@pytest.fixture
def command(mart: Mart, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr("orchestration.cli.drift.load_settings", lambda: mart.settings)
    return lambda *words: ecluse.main(list(words), standalone_mode=False)


def test_what_drifts_is_a_note_with_table_metric_value_and_band(mart: Mart) -> None:
    mart.ordinary()
    run = mart.run(400)
    worst = next(row for row in run.record.drifts if row["metric"] == "rows")
    assert (worst["table_name"], worst["value"], worst["state"]) == ("marts.orders", 400, "anomaly")
    note, incident = run.record.notes
    assert note.startswith("marts.orders drifts: ")
    assert incident.startswith("incident 1 opened: marts.orders drifts: ")
    assert "expected " in note
    again = mart.run(400)
    assert again.record.notes[0].startswith("marts.orders still drifts: ")
    assert not mart.run(1005).record.drifts
    kept = json.loads((run.folder.path / "metrics.json").read_text())
    assert len(kept) == query(
        mart.warehouse, "select count(*) from ops.metrics where run_id = %s", run.record.run_id
    )[0][0]  # fmt: skip


def test_nulls_are_noticed_and_personal_data_never_stored(mart: Mart) -> None:
    mart.ordinary()
    run = mart.run(1000, nulls=500)
    assert [row["column_name"] for row in run.record.drifts
            if row["metric"] == "null_share"] == ["amount"]  # fmt: skip
    text = "".join(path.read_text() for path in mart.settings.runs_dir.rglob("metrics.json"))
    stored = query(mart.warehouse, "select string_agg(m::text, ' ') from ops.metrics as m")
    for found in (text, stored[0][0]):
        assert "null_share" in found
        assert "Secret" not in found


def test_a_step_that_is_begun_again_measures_again(mart: Mart) -> None:
    mart.ordinary(1)
    with recorded_run(mart.settings, "run", Console(quiet=True)) as run:
        run.changed()
        (run.folder.path / "manifest.json").write_text('{"nodes": {}, "sources": {}}')
        assert watch(run, run.folder.path) == watch(run, run.folder.path) == ""


def test_a_table_may_block_until_its_new_level_is_accepted(
    mart: Mart, command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    mart.drift = {"severity": "block", "ignore": ["id"]}
    mart.ordinary()
    for _ in range(8):  # a level that held for eight runs is still not adopted by itself
        with pytest.raises(DataRejected, match=r"marts.orders .*drifts: rows is 2,000, expected"):
            mart.run(2000)
    command("drift")
    listed = capsys.readouterr().out
    assert "open: marts.orders rows" in listed
    command("drift", "accept", "orders")
    assert "marts.orders rows is about 2,000 from now on" in capsys.readouterr().out
    assert ("rows", 2000) in query(mart.warehouse, "select metric, value from ops.drift_events")
    assert not mart.run(2010).record.drifts
    with pytest.raises(DataRejected):
        mart.run(1000)


def test_the_list_as_json_and_what_is_not_there(
    mart: Mart, command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    mart.ordinary(11)
    command("drift", "marts.orders", "--json")
    rows = {(row["column_name"], row["metric"]): row for row in json.loads(capsys.readouterr().out)}
    assert rows["", "rows"]["low"] < rows["", "rows"]["value"] < rows["", "rows"]["high"]
    assert rows["amount", "max"]["state"] is None  # extremes are measured and not judged
    with pytest.raises(ConfigurationError, match=r"No drift is open on marts.orders rows"):
        command("drift", "accept", "orders", "rows")
    with pytest.raises(ConfigurationError, match=r"Nothing was measured of marts.nothing"):
        command("drift", "nothing")


def test_what_is_ignored_and_what_is_known_is_no_drift(mart: Mart) -> None:
    sale = FIRST.date() + timedelta(days=12)
    mart.drift = {"ignore": ["distinct", "amount.null_share"],
                  "events": [{"from": str(sale), "to": str(sale), "why": "a sale"}]}  # fmt: skip
    mart.ordinary()
    assert not mart.run(5000).record.drifts
    found = {row["metric"] for row in mart.run(5000, nulls=4000).record.drifts}
    assert "rows" in found
    assert not found & {"distinct", "null_share"}


@pytest.mark.parametrize(
    "given", [{"severity": "loud"}, {"sensitivity": 0}, {"ignores": []}, {"events": [{"on": 1}]}]
)
def test_a_wish_that_is_not_understood_is_named(mart: Mart, given: dict[str, Any]) -> None:
    mart.drift = given
    with pytest.raises(ConfigurationError, match=r"`meta: drift` of orders in models/_m.yml"):
        mart.run(10)
