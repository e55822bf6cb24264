"""Sensors: new files that have settled, a value of a query that has changed."""

import os
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.errors import EcluseError
from orchestration.schedule.plan import Sensor
from orchestration.schedule.sensors import Watch, watch
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.schedule.simulated import at

START = at("2026-01-01")
pytestmark = pytest.mark.usefixtures("session")


def after(seconds: float) -> object:
    return START + timedelta(seconds=seconds)


def served(warehouse: Warehouse) -> None:
    """The run that was asked for has begun."""
    query(warehouse, "update ops.slots set status = 'passed', attempts = 1 returning 1")


def test_files_that_are_new_or_changed_and_have_settled(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    sensor = Sensor("in", files=(str(tmp_path / "**" / "*.csv"),), settle=timedelta(seconds=10))
    eye = Watch(sensor, warehouse)
    assert eye.look(after(0)) is None
    assert eye.look(after(20)) is None  # no files, no news
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.csv").write_text("1")
    (tmp_path / "other.txt").write_text("1")
    assert eye.look(after(30)) is None
    (tmp_path / "deep" / "a.csv").write_text("1,2")  # still being written
    assert eye.look(after(41)) is None
    assert eye.look(after(50)) is None
    assert eye.look(after(51))
    assert eye.look(after(61)) is None
    served(warehouse)
    os.utime(tmp_path / "deep" / "a.csv", (1, 1))
    again = Watch(sensor, warehouse)  # a restart forgets nothing
    assert again.look(after(70)) is None
    assert again.look(after(80))
    served(warehouse)
    (tmp_path / "deep" / "a.csv").unlink()
    assert [again.look(after(n)) for n in (90, 101)] == [None, None]  # gone is not new
    (tmp_path / "deep" / "a.csv").write_text("1")
    assert again.look(after(110)) is None
    assert again.look(after(120))
    assert query(warehouse, "select cause, count(*) from ops.slots group by 1") == [
        ("sensor in", 3)
    ]


def test_a_value_of_the_warehouse(warehouse: Warehouse) -> None:
    query(warehouse, "create table t (n int); select 1")
    eye = Watch(Sensor("top", sql="select max(n) from t"), warehouse)
    assert eye.look(after(0)) is None  # NULL is nothing
    query(warehouse, "insert into t values (1) returning 1")
    assert eye.look(after(1))
    served(warehouse)
    assert Watch(Sensor("top", sql="select max(n) from t"), warehouse).look(after(2)) is None
    query(warehouse, "insert into t values (2) returning 1")
    assert eye.look(after(3))
    assert query(warehouse, "select state, problem from ops.triggers") == [("2", None)]


def test_a_value_of_another_database(warehouse: Warehouse, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as erp:
        erp.execute("create table orders as select '2026-01-01' as changed")
    erp.close()
    url = f"sqlite:///{tmp_path}/erp.db"
    assert Watch(Sensor("erp", sql="select max(changed) from orders", url=url), warehouse).look(
        START
    )


def test_a_sensor_that_cannot_see_says_why_and_is_remembered(warehouse: Warehouse) -> None:
    eye = Watch(Sensor("top", sql="select max(n) from nowhere"), warehouse)
    with pytest.raises(EcluseError, match=r"sensor top cannot see.*nowhere"):
        eye.look(START)
    ((problem,),) = query(warehouse, "select problem from ops.triggers")
    assert "nowhere" in problem
    query(warehouse, "create table nowhere as select 1 as n; select 1")
    assert eye.look(after(1))
    assert query(warehouse, "select problem from ops.triggers") == [(None,)]


def test_sensors_look_by_themselves_and_tell_of_a_trouble_once(warehouse: Warehouse) -> None:
    news, said = threading.Event(), []
    often = timedelta(seconds=0.05)
    sensors = (
        Sensor("bad", sql="select secret from nowhere", every=often),
        Sensor("good", sql="select 7", every=often),
    )
    over = watch(sensors, lambda: warehouse, lambda: True, news.set, said.append)
    try:
        assert news.wait(10)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not any("bad" in each for each in said):
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        over.set()
    assert len([each for each in said if "sensor bad cannot see" in each]) == 1
    assert len([each for each in said if each.startswith("sensor good: new data, run 2")]) == 1


def test_a_url_with_a_password_is_not_shown(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    eye = Watch(Sensor("x", sql="select 1"), warehouse)

    def refused() -> None:
        raise OSError("cannot open oracle://me:geheim@host/db")

    monkeypatch.setattr(eye, "_value", refused)
    with pytest.raises(EcluseError, match=r"cannot open oracle://\*\*\*@host/db"):
        eye.look(START)
    assert "geheim" not in repr(Sensor("x", url="postgresql://me:geheim@host/db"))
