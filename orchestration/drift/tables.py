"""Which tables are measured, and what their YAML asks for: `meta: {drift: {...}}`."""

import json
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from orchestration.artifacts import MARTS, is_pii
from orchestration.errors import ConfigurationError
from orchestration.publication.versions import NEXT

NOTE, ALERT, BLOCK = SEVERITIES = ("note", "alert", "block")


@dataclass(frozen=True)
class Asked:
    """How drift of a table is dealt with.

    `ignore` holds patterns of `metric`, `column` or `column.metric`; `events` the first and last
    day of what is known to be out of the ordinary, such as a sale.
    """

    severity: str = NOTE
    sensitivity: float = 1.0
    ignore: tuple[str, ...] = ()
    events: tuple[tuple[date, date], ...] = ()

    def ignores(self, column: str, metric: str) -> bool:
        """Whether nobody wants to hear of this metric."""
        names = (metric, column, f"{column}.{metric}")
        return any(fnmatch(name, pattern) for pattern in self.ignore for name in names if name)

    def knows(self, day: date) -> bool:
        """Whether the day belongs to a known event."""
        return any(first <= day <= last for first, last in self.events)


@dataclass(frozen=True)
class Table:
    """A table to measure. `schema` is where it is now, `name` what people call it."""

    schema: str
    table: str
    name: str
    pii: frozenset[str]
    source: str | None = None  # of a raw table
    asked: Asked = field(default=Asked())


def read_tables(folder: Path) -> list[Table]:
    """The marts and the raw tables of the manifest in `folder`.

    Raises:
        ConfigurationError: a `drift` of the YAML is not understood; says where and what.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    marts = [
        Table(NEXT, node["alias"], f"marts.{node['alias']}", _pii(node), asked=_asked(node))
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in MARTS
    ]
    raw = [
        Table(node["schema"], node["identifier"], f"{node['schema']}.{node['identifier']}",
              _pii(node), node["source_name"], _asked(node))
        for node in manifest["sources"].values() if not node["identifier"].startswith("_dlt")
    ]  # fmt: skip
    return sorted(marts, key=lambda table: table.name) + sorted(raw, key=lambda table: table.name)


def _pii(node: dict[str, Any]) -> frozenset[str]:
    return frozenset(name for name, column in node["columns"].items() if is_pii(column))


def _asked(node: dict[str, Any]) -> Asked:
    given = node["config"].get("meta", {}).get("drift", {})
    try:
        asked = Asked(
            given.get("severity", NOTE),
            float(given.get("sensitivity", 1)),
            tuple(given.get("ignore", ())),
            tuple((_day(event["from"]), _day(event["to"])) for event in given.get("events", ())),
        )
        unknown = set(given) - {"severity", "sensitivity", "ignore", "events"}
        if unknown or asked.severity not in SEVERITIES or not asked.sensitivity > 0:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}" if unknown else f"{given}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"`meta: drift` of {node['name']} in {node['original_file_path']} is not understood "
            f"({error}). It may say severity (note, alert or block), sensitivity (above 0), ignore "
            "(a list of metrics) and events (a list of {from: DAY, to: DAY, why: ...})."
        ) from error
    return asked


def _day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])
