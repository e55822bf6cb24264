"""How old each source is, held against its own limits at the time of the page, not of the run."""

from dataclasses import dataclass
from datetime import datetime

from orchestration.site.facts import Facts, Row
from orchestration.site.words import BAD, DAY, GOOD, HOUR, MINUTE, QUIET, WARN, moment

PERIODS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
NEVER = 1971  # loaded_at queries answer with 1970 for an empty table


@dataclass(frozen=True)
class Age:
    """A source's table. Limits are seconds; None is no limit."""

    name: str
    newest: datetime | None
    seconds: float | None
    warn: float | None
    error: float | None

    @property
    def tone(self) -> str:
        """good, warn or bad; quiet where nobody set a limit."""
        if self.warn is None and self.error is None:
            return QUIET
        if self.seconds is None or (self.error is not None and self.seconds > self.error):
            return BAD
        return WARN if self.warn is not None and self.seconds > self.warn else GOOD

    @property
    def limit(self) -> float | None:
        """The first limit."""
        return self.warn if self.warn is not None else self.error


def ages(facts: Facts) -> list[Age]:
    """The age of each source table, as the newest run that looked has found its newest row."""
    found = facts.newest("freshness").get("freshness", [])
    limits = {
        (node["source_name"], node["name"]): node.get("freshness") or {}
        for node in facts.manifest.get("sources", {}).values()
    }
    return [
        _age(row, limits.get((row["source"], row["table_name"]), {}), facts.now) for row in found
    ]


def _age(row: Row, limits: Row, now: datetime) -> Age:
    newest = moment(row["newest_at"])
    newest = newest if newest and newest.year >= NEVER else None
    seconds = (now - newest).total_seconds() if newest else None
    name = f"{row['source']}.{row['table_name']}"
    return Age(name, newest, seconds, _limit(limits, "warn_after"), _limit(limits, "error_after"))


def _limit(limits: Row, name: str) -> float | None:
    limit = limits.get(name) or {}
    return limit["count"] * PERIODS[limit["period"]] if limit.get("count") is not None else None
