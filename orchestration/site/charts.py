"""Lines, bands and strips, as the numbers that the templates draw with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from orchestration.site.facts import Row
from orchestration.site.words import count, moment, plural, tone

WIDTH, HEIGHT, PAD = 600.0, 150.0, 8.0


@dataclass(frozen=True)
class Mark:
    """A point that is worth a dot: where, what it says, and its tone."""

    x: float
    y: float
    text: str
    tone: str


@dataclass(frozen=True)
class Chart:
    """A line over time with its expected band; paths for SVG, `top` and `bottom` as labels."""

    line: str
    band: str
    marks: tuple[Mark, ...]
    top: str
    bottom: str
    first: datetime
    last: datetime
    text: str  # what the picture says
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True)
class Day:
    """A day of the history strip."""

    day: date
    outcome: str  # of its last run
    text: str
    troubled: bool  # another of its runs ended worse


def chart(
    rows: Sequence[Row], name: str, width: float = WIDTH, height: float = HEIGHT
) -> Chart | None:
    """A metric's rows, oldest first, as a chart; None for fewer than two."""
    if len(rows) < 2:  # noqa: PLR2004
        return None
    band = width == WIDTH  # in a line of text only the line
    values = [row["value"] for row in rows]
    values += [n for row in rows for n in (row["low"], row["high"]) if band and n is not None]
    low, high = min(values), max(values)
    room = high - low or 1.0
    base = low if high > low else low - 0.5  # what never changes runs through the middle
    start, length = rows[0]["at"], (rows[-1]["at"] - rows[0]["at"]).total_seconds() or 1.0

    def place(row: Row, value: float) -> tuple[float, float]:
        x = PAD + (row["at"] - start).total_seconds() / length * (width - 2 * PAD)
        return round(x, 1), round(height - PAD - (value - base) / room * (height - 2 * PAD), 1)

    banded = [row for row in rows if band and row["low"] is not None and row["high"] is not None]
    around = [place(row, row["high"]) for row in banded]
    around += [place(row, row["low"]) for row in reversed(banded)]
    odd = [row for row in rows if row["state"] in {"anomaly", "continuing"}]
    marks = [Mark(*place(row, row["value"]), _said(row), "bad") for row in odd]
    marks.append(
        Mark(*place(rows[-1], rows[-1]["value"]), _said(rows[-1]), tone(rows[-1]["state"]))
    )
    text = f"{name}: {count(rows[0]['value'])} at first, {count(rows[-1]['value'])} now"
    text += f", {plural(len(odd), 'point')} out of the ordinary" if odd else ""
    return Chart(
        _path([place(row, row["value"]) for row in rows]), _path(around) + "Z" if around else "",
        tuple(marks), count(high), count(low), start, rows[-1]["at"], text, width, height,
    )  # fmt: skip


def strip(runs: Sequence[Row], now: datetime, days: int = 30) -> list[Day]:
    """The last days, oldest first, each by the last of its runs; rows newest first."""
    by_day = {day: list(those) for day, those in groupby(runs, lambda run: _start(run).date())}
    today = datetime.combine(now.date(), time(), UTC).date()
    return [
        _day(day, by_day.get(day, []))
        for day in (today - timedelta(days=back) for back in reversed(range(days)))
    ]


def _day(day: date, runs: list[Row]) -> Day:
    label = f"{day:%-d %b}"
    if not runs:
        return Day(day, "none", f"{label}: no run", False)
    last = runs[0]["status"]
    worse = [run for run in runs[1:] if tone(run["status"]) == "bad"]
    text = f"{label}: {plural(len(runs), 'run')}, the last {last}"
    text += f", {len(worse)} failed before" if worse else ""
    return Day(day, last, text, bool(worse) and tone(last) != "bad")


def _start(run: Row) -> datetime:
    return (moment(run["started_at"]) or datetime.min).astimezone(UTC)


def _said(row: Row) -> str:
    band = (
        f", expected {count(row['low'])} to {count(row['high'])}" if row["low"] is not None else ""
    )
    return f"{row['at']:%-d %b %H:%M}: {count(row['value'])}{band}"


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points)
