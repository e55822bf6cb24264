"""What people see of the schedule."""

import json
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.schedule.loop import NAME
from orchestration.schedule.plan import Plan, load_plan
from orchestration.schedule.shown import NobodyAtWork, show_next, show_status
from orchestration.warehouse import Warehouse
from tests.newcomer import settings_for
from tests.schedule.simulated import SimulatedClock, Simulation, at


def test_the_next_slots_in_both_times(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = load_plan(settings_for(tmp_path, warehouse), ("30 2 * * *",), "Asia/Tokyo")
    show_next(plan, 3, as_json=False)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "30 2 * * * in Asia/Tokyo"
    assert len(lines) == 3
    assert all(" 17:30 UTC  " in line and " 02:30 JST  in " in line for line in lines)
    show_next(plan, 1, as_json=True)
    ((first),) = json.loads(capsys.readouterr().out)
    assert first["local"].endswith("02:30 JST")
    with pytest.raises(ConfigurationError, match="Nothing would ever start a run"):
        show_next(Plan(None), 1, as_json=False)


def test_the_last_slots_and_who_is_at_work(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly = Simulation(warehouse, "30 2 * * *", "Europe/Berlin", retries=1)
    nightly.codes = [3, 1]
    nightly.until("2026-01-02T01:33")
    later = Simulation(warehouse, "30 2 * * *", "Europe/Berlin",
                       SimulatedClock(at("2026-01-05T12:00")))  # fmt: skip
    later.until("2026-01-05T12:01")
    settings = settings_for(tmp_path, warehouse)
    with pytest.raises(NobodyAtWork, match="No scheduler is at work"):
        show_status(settings, Plan(nightly.schedule), 10, check=True, as_json=False)
    said = capsys.readouterr().out
    assert "at work    no scheduler" in said
    assert "2026-01-05 02:30 CET" in said
    assert "stands for 2 missed since 2026-01-03 02:30 CET" in said
    assert "rejected, exit code 3" in said
    assert "broke, exit code 1 after 1 attempts" not in said
    with warehouse.session(NAME + "host:7"):
        show_status(settings, Plan(nightly.schedule), 1, check=True, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [each["scheduler"] for each in found["schedulers"]] == ["host:7"]
    assert len(found["slots"]) == 1
