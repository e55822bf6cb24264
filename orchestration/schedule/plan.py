"""What the scheduler is told: `[tool.ecluse.schedule]` in pyproject.toml, then the environment.

The file is reviewed and deployed with the code; what differs from place to place, and every
secret, comes from the environment.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.schedule.cron import Schedule, parse_schedule
from orchestration.schedule.missed import POLICIES
from orchestration.settings import Settings

TABLE = "[tool.ecluse.schedule]"
WAIT, SKIP = BUSY = ("wait", "skip")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
KEYS = {"cron", "zone", "missed", "max_age", "busy", "jitter", "retries", "sensors"}
SENSOR_KEYS = {"files", "settle", "sql", "every"}
EXAMPLE = """\
    [tool.ecluse.schedule]
    cron = "30 2 * * *"
    zone = "Europe/Berlin\""""


@dataclass(frozen=True)
class Sensor:
    """Something to look at: files by glob patterns, or one value of a query."""

    name: str
    files: tuple[str, ...] = ()
    settle: timedelta = timedelta(seconds=10)  # how long files must have stayed as they are
    sql: str | None = None
    url: str | None = field(default=None, repr=False)  # of SQLAlchemy; None: the warehouse
    every: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class Plan:
    """When runs begin, and what becomes of those that cannot begin in time or that break."""

    schedule: Schedule | None
    missed: str = "once"
    max_age: timedelta = timedelta(weeks=1)
    busy: str = WAIT
    jitter: timedelta = timedelta()
    retries: int = 0
    sensors: tuple[Sensor, ...] = ()


def load_plan(
    settings: Settings,
    cron: tuple[str, ...] = (),
    zone: str | None = None,
    retries: int | None = None,
) -> Plan:
    """The plan of this project; what is given here goes before the environment and the file.

    Raises:
        ConfigurationError: what cannot be read, with where it stands.
    """
    table = _table(settings)
    given = cron or tuple(filter(None, map(str.strip, (settings.schedule or "").split(";"))))
    expressions = given or _texts(table, "cron", TABLE)
    where = zone or settings.schedule_zone or str(table.get("zone", "UTC"))
    tries = table.get("retries", 0) if retries is None else retries
    if not isinstance(tries, int) or tries < 0:
        raise ConfigurationError(f"retries in {TABLE} is {tries!r}: give a whole number.")
    schedule = parse_schedule(expressions, where)
    sensors = _mapping(table.get("sensors", {}), "[tool.ecluse.schedule.sensors]")
    return Plan(
        schedule=schedule if expressions else None,
        missed=_choice(table, "missed", POLICIES),
        max_age=_span(table, "max_age", TABLE, Plan.max_age),
        busy=_choice(table, "busy", BUSY),
        jitter=_span(table, "jitter", TABLE, Plan.jitter),
        retries=tries,
        sensors=tuple(_sensor(name, settings, values) for name, values in sensors.items()),
    )


def _table(settings: Settings) -> dict[str, Any]:
    path = settings.root / "pyproject.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}.") from error
    table = found.get("tool", {}).get("ecluse", {}).get("schedule", {})
    return _known(table, KEYS, TABLE)


def _sensor(name: str, settings: Settings, values: dict[str, Any]) -> Sensor:
    where = f"[tool.ecluse.schedule.sensors.{name}]"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        raise ConfigurationError(f"{where}: name a sensor with small letters, digits and _.")
    _known(values, SENSOR_KEYS, where)
    if ("files" in values) == ("sql" in values):
        raise ConfigurationError(f"{where}: give either files, a glob pattern, or sql, a query.")
    return Sensor(
        name=name,
        files=tuple(str(settings.root / each) for each in _texts(values, "files", where)),
        settle=_span(values, "settle", where, Sensor.settle),
        sql=" ".join(_texts(values, "sql", where)) or None,
        url=settings.sensor_urls.get(name),
        every=max(_span(values, "every", where, Sensor.every), timedelta(seconds=1)),
    )


def _mapping(table: Any, where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} in pyproject.toml is no table.")
    return table


def _known(table: Any, keys: set[str], where: str) -> dict[str, Any]:
    for key in _mapping(table, where):
        if key not in keys:
            known = ", ".join(sorted(keys))
            raise ConfigurationError(f"{where} in pyproject.toml knows no {key!r}: {known}.")
    return table


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise ConfigurationError(f"{key} in {where} is {value!r}: give a text or a list of them.")
    return tuple(texts)


def _choice(table: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = table.get(key, choices[0])
    if value not in choices:
        raise ConfigurationError(
            f"{key} in {TABLE} is {value!r}: give one of {', '.join(choices)}."
        )
    return str(value)


def _span(table: Mapping[str, Any], key: str, where: str, default: timedelta) -> timedelta:
    if key not in table:
        return default
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", str(table[key]))
    if not found:
        raise ConfigurationError(
            f"{key} in {where} is {table[key]!r}: write it as '90s', '15m', '12h', '7d' or '2w'."
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})
