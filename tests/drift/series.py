"""A simulation of the series that a warehouse makes, with incidents of known kinds and days."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from orchestration.drift.detector import LEVEL, SHARE, VOLUME

Floats = npt.NDArray[np.float64]
FIRST = datetime(2025, 3, 3, 6, tzinfo=UTC)  # a Monday
DAYS, QUIET = 150, 50  # days of a simulated series; no incident begins in the first QUIET


@dataclass(frozen=True)
class Series:
    """`incidents`: first and last index of each, and of what kind."""

    name: str
    kind: str
    times: list[datetime]
    values: list[float]
    incidents: list[tuple[int, int, str]] = field(default_factory=list)


Dice = np.random.Generator


def simulate(seed: int, many: int = 240, incidents: int = 180) -> list[Series]:
    """Series of eight families, the first `incidents` of them with one incident each.

    A series may also have what is none: days without a run, and a holiday, a day some 15 % lower.
    """
    dice = np.random.default_rng(seed)
    families = list(FAMILIES)
    return [_series(dice, families[n % len(families)], n < incidents) for n in range(many)]


def _series(dice: Dice, family: str, broken: bool) -> Series:
    kind, make, faults = FAMILIES[family]
    values = make(dice)
    if family.startswith("rows a day") and dice.random() < 0.5:
        values[dice.integers(QUIET, DAYS)] *= dice.uniform(0.8, 0.9)
    labels: list[tuple[int, int, str]] = []
    if broken:
        fault = str(dice.choice(faults))
        start = int(dice.integers(QUIET, DAYS - 10))
        values, last = FAULTS[fault](dice, values, start)
        labels = [(start, last, fault)]
    times = [FIRST + timedelta(days=day) for day in range(DAYS)]
    kept = [
        n for n in range(DAYS)
        if dice.random() > 0.02 or any(first <= n <= last for first, last, _ in labels)
    ]  # fmt: skip
    labels = [(kept.index(first), kept.index(last), fault) for first, last, fault in labels]
    return Series(family, kind, [times[n] for n in kept], values[kept].tolist(), labels)


def _week(dice: Dice, depth: float) -> Floats:
    """Weekdays that differ a little, and a weekend that differs by more."""
    shape = np.exp(dice.normal(0, depth / 4, 7))
    shape[5:] *= 1 - depth
    return np.resize(shape / shape.mean(), DAYS)


def _volume(dice: Dice) -> Floats:
    level = np.exp(dice.uniform(np.log(200), np.log(200_000)))
    trend = np.exp(dice.uniform(-0.002, 0.003) * np.arange(DAYS))
    noise = np.exp(dice.normal(0, dice.uniform(0.02, 0.1), DAYS))
    return dice.poisson(level * trend * noise * _week(dice, dice.uniform(0.2, 0.8))).astype(float)


def _flat_volume(dice: Dice) -> Floats:
    level = np.exp(dice.uniform(np.log(100), np.log(50_000)))
    return dice.poisson(level * np.exp(dice.normal(0, dice.uniform(0.02, 0.08), DAYS))).astype(
        float
    )


def _heavy_tails(dice: Dice) -> Floats:
    level = np.exp(dice.uniform(np.log(500), np.log(50_000)))
    return np.round(level * np.exp(dice.standard_t(4, DAYS) * dice.uniform(0.02, 0.06)))


def _small(dice: Dice) -> Floats:
    return dice.poisson(dice.uniform(4, 25) * _week(dice, dice.uniform(0, 0.3))).astype(float)


def _total(dice: Dice) -> Floats:
    daily = _volume(dice)
    return daily.mean() * dice.uniform(30, 1000) + np.cumsum(daily)


def _null_share(dice: Dice) -> Floats:
    share = 0.0 if dice.random() < 0.4 else np.exp(dice.uniform(np.log(0.004), np.log(0.2)))
    rows = int(np.exp(dice.uniform(np.log(300), np.log(20_000))))
    return dice.binomial(rows, share, DAYS) / rows


def _category(dice: Dice) -> Floats:
    rows = int(np.exp(dice.uniform(np.log(500), np.log(20_000))))
    return (
        dice.binomial(
            rows, np.clip(dice.uniform(0.2, 0.7) * _week(dice, dice.uniform(0, 0.4)), 0, 1)
        )
        / rows
    )


def _mean(dice: Dice) -> Floats:
    noise = np.exp(dice.normal(0, dice.uniform(0.005, 0.04), DAYS))
    return dice.uniform(5, 500) * noise * _week(dice, 0.06)


Faulty = tuple[Floats, int]


def _for_days(values: Floats, start: int, days: int, factor: float) -> Faulty:
    last = min(start + days, DAYS) - 1
    values[start : last + 1] *= factor
    return values, last


def _drop(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, int(dice.integers(1, 5)), dice.uniform(0, 0.3))


def _partial(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, int(dice.integers(1, 4)), dice.uniform(0.45, 0.75))


def _spike(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, int(dice.integers(1, 3)), dice.uniform(1.6, 4))


def _flood(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, int(dice.integers(1, 3)), dice.uniform(4, 10))


def _double(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, 1, 2)


def _shift(dice: Dice, values: Floats, start: int) -> Faulty:
    factor = dice.uniform(1.3, 2.2) ** dice.choice([-1, 1])
    return _for_days(values, start, DAYS, factor)


def _unit(dice: Dice, values: Floats, start: int) -> Faulty:
    return _for_days(values, start, _some_days_or_for_good(dice), dice.choice([0.01, 100]))


def _some_days_or_for_good(dice: Dice) -> int:
    return int(dice.integers(1, 5)) if dice.random() < 0.5 else DAYS


def _rows_twice(dice: Dice, values: Floats, start: int) -> Faulty:
    values[start:] += values[start] * dice.uniform(0.04, 0.4)
    return values, DAYS - 1


def _rows_gone(dice: Dice, values: Floats, start: int) -> Faulty:
    values[start:] -= values[start] * dice.uniform(0.04, 0.4)
    return values, DAYS - 1


def _jump(dice: Dice, values: Floats, start: int) -> Faulty:
    last = min(start + _some_days_or_for_good(dice), DAYS) - 1
    here = values[start : last + 1]
    values[start : last + 1] = here + (1 - here) * dice.uniform(0.06, 0.6)
    return values, last


VOLUMES = ("drop", "partial load", "spike", "rows twice", "level shift")
Fault = Callable[[Dice, Floats, int], Faulty]
FAULTS: dict[str, Fault] = {
    "drop": _drop, "partial load": _partial, "spike": _spike, "flood": _flood,
    "rows twice": _double, "level shift": _shift, "another unit": _unit,
    "history twice": _rows_twice,
    "history gone": _rows_gone, "nulls": _jump,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, Callable[[Dice], Floats], tuple[str, ...]]] = {
    "rows a day, with weekdays": (VOLUME, _volume, VOLUMES),
    "rows a day, without": (VOLUME, _flat_volume, VOLUMES),
    "rows a day, heavy tails": (VOLUME, _heavy_tails, VOLUMES),
    "small counts": (VOLUME, _small, ("flood",)),
    "rows in total": (VOLUME, _total, ("history twice", "history gone")),
    "null share": (SHARE, _null_share, ("nulls",)),
    "share of a category": (SHARE, _category, ("nulls",)),
    "mean": (LEVEL, _mean, ("another unit", "level shift")),
}
