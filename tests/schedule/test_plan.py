"""What the scheduler is told, and what it refuses to be told."""

from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.schedule.plan import Plan, load_plan
from orchestration.settings import load_settings

WHOLE = """
[tool.ecluse.schedule]
cron = ["30 2 * * *", "0 12 * * 1-5"]
zone = "Europe/Berlin"
missed = "all"
max_age = "12h"
busy = "skip"
jitter = "90s"
retries = 2

[tool.ecluse.schedule.sensors.invoices]
files = "in/*.csv"
settle = "5s"

[tool.ecluse.schedule.sensors.erp]
sql = "select max(changed) from orders"
every = "5m"
"""


def plan(root: Path, text: str, environ: dict[str, str] | None = None, **given: object) -> Plan:
    (root / "pyproject.toml").write_text(text)
    return load_plan(load_settings(environ or {}, root), **given)


def test_the_file_says_it_all(tmp_path: Path) -> None:
    found = plan(tmp_path, WHOLE, {"ECLUSE_SENSOR_ERP_URL": "sqlite:///erp.db"})
    assert str(found.schedule) == "30 2 * * *; 0 12 * * 1-5 in Europe/Berlin"
    assert (found.missed, found.busy, found.retries) == ("all", "skip", 2)
    assert (found.max_age, found.jitter) == (timedelta(hours=12), timedelta(seconds=90))
    invoices, erp = found.sensors
    assert invoices.files == (str(tmp_path / "in/*.csv"),)
    assert (invoices.settle, invoices.sql) == (timedelta(seconds=5), None)
    assert (erp.url, erp.every) == ("sqlite:///erp.db", timedelta(minutes=5))


def test_the_environment_goes_before_the_file_and_an_option_before_both(tmp_path: Path) -> None:
    environ = {"ECLUSE_SCHEDULE": "0 1 * * *; 0 2 * * *;", "ECLUSE_SCHEDULE_ZONE": "Asia/Tokyo"}
    assert str(plan(tmp_path, WHOLE, environ).schedule) == "0 1 * * *; 0 2 * * * in Asia/Tokyo"
    given = plan(tmp_path, WHOLE, environ, cron=("0 3 * * *",), zone="UTC", retries=0)
    assert (str(given.schedule), given.retries) == ("0 3 * * * in UTC", 0)


def test_nothing_said_is_no_schedule(tmp_path: Path) -> None:
    assert plan(tmp_path, "") == Plan(None)
    (tmp_path / "pyproject.toml").unlink()
    assert load_plan(load_settings({}, tmp_path)) == Plan(None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crom = '* * * * *'", "knows no 'crom': busy, cron,"),
        ("cron = 5", "cron in [tool.ecluse.schedule] is 5: give a text or a list"),
        ("cron = '* * * *'", "no cron expression"),
        ("missed = 'never'", "is 'never': give one of once, all, skip"),
        ("busy = 'x'", "give one of wait, skip"),
        ("max_age = '3 years'", "write it as '90s', '15m', '12h', '7d' or '2w'"),
        ("jitter = -1", "jitter in [tool.ecluse.schedule] is -1"),
        ("retries = -1", "retries in [tool.ecluse.schedule] is -1"),
        ("retries = '2'", "give a whole number"),
        ("sensors = 3", "sensors] in pyproject.toml is no table"),
        ("[tool.ecluse.schedule.sensors.A]\nsql = 'x'", "name a sensor with small letters"),
        ("[tool.ecluse.schedule.sensors.a]\nevery = '1s'", "give either files"),
        ("[tool.ecluse.schedule.sensors.a]\nsql = 'x'\nfiles = 'y'", "give either files"),
        ("[tool.ecluse.schedule.sensors.a]\nfile = 'y'", "knows no 'file'"),
        ("[tool.ecluse", "pyproject.toml cannot be read"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(tmp_path, f"[tool.ecluse.schedule]\n{text}\n")
    assert says in str(caught.value)
