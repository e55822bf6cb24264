"""Judges one new point of a metric against the metric's own history. Pure: no clock, no database.

Formulas, on the scale y of the metric (log for volumes, logit for shares):

- level: even; or a line, by Theil's incomplete slope (the median of (yj - yi) / (tj - ti) of points
  half a window apart); or wandering, the median of the season before;
- season: the median residual of the point's weekday (hour or month in denser or sparser series);
- of these the simplest is taken, and another only where it narrows the residuals (NARROWER);
- scale: the greatest of 1.4826 MAD (the median |residual|), of the 95 % quantile of |residual| over
  1.96, which heavy tails stretch, and of a floor;
- score: (y - expected) / scale. The further out, the fewer points it takes (FEW), all on the same
  side: holidays and hiccups pass, what lasts does not. For several points the bounds are wider by
  sqrt((1 + r) / (1 - r)), r being how alike neighbours are (autocorrelation).

The judged point is never in its own baseline, nor are the points of an incident, until the new
level has held for a season: then it is adopted, and the history moves to it, its weekdays and noise
kept. The level of before, when it comes back within two seasons, is no incident either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

LEARNING, OK, SUSPECT, KNOWN = "learning", "ok", "suspect", "known"
ANOMALY, CONTINUING, RECOVERED, ADOPTED = "anomaly", "continuing", "recovered", "adopted"
OPEN = (ANOMALY, CONTINUING)  # states of a point whose incident goes on after it

VOLUME, SHARE, LEVEL = "volume", "share", "level"  # kinds of metrics

FEW = {1: 6.0, 2: 3.5, 4: 2.5}  # points in a row, and how far out each has to be
ENOUGH = 10  # points that must be known before anything is judged
SEASONS = 8  # how many weeks (days, years) the baseline holds
NARROWER = 0.8  # what a trend or a season must do to the residuals to be believed
FLOORS = {VOLUME: 0.015, SHARE: 0.08, LEVEL: 0.015}
LEAST_SHARE = 0.01  # shares well below it are all the same

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A value and what was said of it when it was new; `expected` is None while learning."""

    at: datetime
    value: float
    state: str = OK
    expected: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What a point is, and the band it was held against; all None while nothing is known."""

    state: str
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None


def judge(
    history: Sequence[Point],
    at: datetime,
    value: float,
    kind: str = VOLUME,
    sensitivity: float = 1.0,
    adopts: bool = True,
) -> Verdict:
    """What the newest value of a metric is.

    Args:
        history: earlier points, oldest first, with the verdicts that they got.
        at: when the value was measured; days that are missing are missing, not zero.
        value: the value.
        kind: `volume`, `share` (0 to 1) or `level`.
        sensitivity: 2 halves the deviation that opens an incident.
        adopts: False where a new level must be accepted by a person.
    """
    past = [point for point in history if point.state != KNOWN]
    seen = [value, *(n for p in past for n in (p.value, p.expected) if n is not None)]
    positive = kind != LEVEL or min(seen) > 0
    scaled = _Scale(kind, positive)
    y = scaled.to(np.array([point.value for point in past], dtype=float))
    out = y - scaled.to(np.array([np.nan if p.expected is None else p.expected for p in past]))
    kept, moved = _baseline(past, y, out)
    if len(kept) < ENOUGH:
        return Verdict(LEARNING)
    period, slots = _slots([*(past[i].at for i in kept), at])
    kept, slots = kept[-SEASONS * period :], slots[-SEASONS * period - 1 :]
    t = np.array([(past[i].at - at).total_seconds() for i in kept]) / 86400
    center, spread, lasting = _expect(t, y[kept], slots, period)
    spread = max(spread, scaled.floor(center))
    ordinary = spread / sensitivity
    far = float(scaled.to(np.array([value]))[0]) - center
    lately = adopts and ADOPTED in [point.state for point in past[-2 * period :]]
    back = (far + moved) / ordinary if lately else np.inf
    state = _state(past, out / ordinary, far / ordinary, back, period if adopts else 0, lasting)
    width = FEW[1] * ordinary
    low, middle, high = scaled.back(np.array([center - width, center, center + width]))
    return Verdict(state, float(middle), float(low), float(high), far / spread)


def _state(
    past: list[Point], out: Floats, score: float, back: float, held: int, lasting: float
) -> str:
    """The state of the newest point, `out` and `score` in units of what is ordinary.

    Args:
        past: the points before it.
        out: how far each of them was out when it was new; not a number where that is not known.
        score: how far the newest is out.
        back: how far it is out of the level before the last one that was adopted.
        held: points that make a new level; 0 for never.
        lasting: how much further out several points must be, for neighbours that are alike.
    """
    if past[-1].state in OPEN:
        if abs(score) < FEW[2]:
            return RECOVERED
        if abs(score) >= FEW[1] and out[-1] * score < 0:
            return ANOMALY  # the other way: another incident
        level = np.array([*out[_incident(past, len(past) - 1) :], score])[-held:]
        steady = 0 < held <= len(level) and (np.abs(level - _median(level)) <= FEW[1]).all()
        return ADOPTED if steady else CONTINUING
    alike = [p.state in (OK, SUSPECT) for p in past[-3:]]
    latest = np.array([*np.where(alike, out[-3:], np.nan), score]) * np.sign(score)
    if any(
        (latest[-number:] >= min(least * (lasting if number > 1 else 1), FEW[1])).all()
        for number, least in FEW.items()
    ):
        return RECOVERED if abs(back) < FEW[2] else ANOMALY
    return SUSPECT if abs(score) >= FEW[2] else OK


def _incident(past: list[Point], last: int) -> int:
    """The index of the point that opened the incident which `last` belongs to."""
    while past[last].state != ANOMALY and last > 0 and past[last - 1].state in OPEN:
        last -= 1
    return last


def _baseline(past: list[Point], y: Floats, out: Floats) -> tuple[list[int], float]:
    """The points that count, oldest first, and how far the last adopted level moved them.

    Points from before a new level are moved to it in `y`; where the old level came back, all are
    moved back.
    """
    kept: list[int] = []
    moved = 0.0
    for i, point in enumerate(past):
        if point.state == ADOPTED:
            since = _incident(past, i)
            kept = [k for k in kept if k < since]
            moved = float(np.nanmedian(out[since : i + 1]))
            y[kept] += moved
            kept += range(since, i + 1)
        elif point.state not in OPEN:
            if point.state == RECOVERED and i and past[i - 1].state not in OPEN:
                y[kept] -= moved
                moved = 0.0
            kept.append(i)
    return kept, moved


def _expect(
    t: Floats, y: Floats, slots: npt.NDArray[np.int64], period: int
) -> tuple[float, float, float]:
    """Where the point at t = 0, in the last slot, should be; how far points stray; how alike."""
    best, where = np.inf, 0.0
    for level, now in _levels(t, y, period):
        rest = y[-len(level) :] - level
        center, rest = now + _median(rest), rest - _median(rest)
        for effect, even in _seasons(rest, slots, period):
            if _mad(even) < NARROWER * best:
                best, where = _mad(even), center + effect + _median(even[-2 * period :])
                tails = float(np.quantile(np.abs(even), 0.95)) / 1.96
                near = np.clip(even, -3 * best, 3 * best)
    alike = float(np.clip(near[1:] @ near[:-1] / (float(near @ near) + 1e-12), 0, 0.8))
    return where, max(best, tails), float(np.sqrt((1 + alike) / (1 - alike)))


def _levels(t: Floats, y: Floats, period: int) -> Iterator[tuple[Floats, float]]:
    """The level of each of the last points and of the one at t = 0: even, a line, or wandering."""
    yield np.zeros(len(y)), 0.0
    yield _slope(t, y) * t, 0.0
    if len(y) > 2 * period:
        lately: Floats = np.sort(np.lib.stride_tricks.sliding_window_view(y, period), axis=1)
        medians = (lately[:, (period - 1) // 2] + lately[:, period // 2]) / 2
        yield medians[:-1], float(medians[-1])


def _seasons(
    rest: Floats, slots: npt.NDArray[np.int64], period: int
) -> Iterator[tuple[float, Floats]]:
    """What the season adds to the last of the slots, and what it leaves: nothing, and as known."""
    yield 0.0, rest
    inside, known = slots[-1], slots[-len(rest) - 1 : -1]
    if len(rest) > 2 * period and (known == inside).sum() > 1:
        days: set[int] = set(known.tolist())
        effects = {day: _median(rest[known == day]) for day in days}
        even: Floats = rest - np.array([effects[int(day)] for day in known])
        lost = len(rest) / (len(rest) - len(effects))  # each median fits its own points
        yield effects[int(inside)], even * np.sqrt(lost)


def _slope(t: Floats, y: Floats) -> float:
    half = len(t) // 2
    apart, rise = t[-half:] - t[:half], y[-half:] - y[:half]
    slopes = rise[apart > 0] / apart[apart > 0]
    return _median(slopes) if slopes.size else 0.0


def _mad(residuals: Floats) -> float:
    return 1.4826 * _median(np.abs(residuals))


def _median(numbers: Floats) -> float:
    """As numpy's, without its 20 microseconds of care."""
    inner = np.sort(numbers)
    return float(inner[(len(inner) - 1) // 2] + inner[len(inner) // 2]) / 2


def _slots(times: list[datetime]) -> tuple[int, npt.NDArray[np.int64]]:
    """How many points a season has, and which of them each time is, by the usual distance."""
    apart = np.diff([each.timestamp() for each in times])
    hours = (_median(apart)) / 3600
    if 0.5 <= hours <= 2:  # noqa: PLR2004
        return 24, np.array([each.hour for each in times])
    if hours > 24 * 20:
        return 12, np.array([each.month for each in times])
    return 7, np.array([each.weekday() for each in times])


@dataclass(frozen=True)
class _Scale:
    """The scale on which a kind of metric strays evenly."""

    kind: str
    positive: bool

    def to(self, value: Floats) -> Floats:
        if self.kind == SHARE:
            share = (value + LEAST_SHARE) / (1 + 2 * LEAST_SHARE)
            return np.asarray(np.log(share / (1 - share)))
        if self.kind == VOLUME:
            return np.asarray(2 * np.arcsinh(FLOORS[VOLUME] * np.sqrt(value + 3 / 8)))
        return np.asarray(np.log(value)) if self.positive else value

    def back(self, y: Floats) -> Floats:
        if self.kind == SHARE:
            share = (1 + 2 * LEAST_SHARE) / (1 + np.exp(-y)) - LEAST_SHARE
            return np.asarray(np.clip(share, 0, 1))
        if self.kind == VOLUME:
            root = np.sinh(np.maximum(y, 0) / 2) / FLOORS[VOLUME]
            return np.asarray(np.maximum(root**2 - 3 / 8, 0))
        return np.asarray(np.exp(y)) if self.positive else y

    def floor(self, center: float) -> float:
        """The least scale."""
        return FLOORS[self.kind] * (1 if self.positive else max(abs(center), 1e-9))
