"""How much trade each day has: a few small arrays, one number a day, from which pages are located.

Everything is counted in whole numbers and summed from the first day on, so that a longer calendar
never changes a day that was there before.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from ingestion.demo_api.catalogue import STORES
from ingestion.demo_api.draw import Ints, Use, unit

YEAR = 365
CUSTOMERS_PER_ORDER = 0.05
_WEEKDAYS = np.array([1.0, 0.98, 1.02, 1.06, 1.2, 0.9, 0.75])  # Monday first: office crowds
_DAYS_TO_KNOWN = 60  # a new store reaches its full trade in two months
_GROWTH = 0.25  # a year, on top of the new stores
_SEASON = 0.12  # more in July, less in January

# Items in each order, a pattern that repeats through the day: 100 orders, 150 items.
BASKETS = np.array(([1, 1, 2, 1, 1, 3, 1, 1, 2, 2] * 3 + [1, 2, 1, 1, 1, 1, 4, 1, 2, 1] * 2) * 2)
BASKET_ENDS = np.cumsum(BASKETS)


@dataclass(frozen=True)
class Curve:
    """Numbers for each day up to today.

    `orders` counts those made, `seen` those the API shows yet, `customers` those known by then;
    `store_shares` are running sums over the stores, 1.0 from the last open one on.
    """

    orders: Ints
    seen: Ints
    customers: Ints
    store_shares: NDArray[np.float64]

    @classmethod
    def drawn(cls, seed: int, orders: int, start: date, days: int) -> "Curve":
        """Draw a shop that takes `orders` in its first 365 days, up to its `days`-th day."""
        span = np.arange(max(days, YEAR))
        pulls = _pulls(span)
        weights = np.rint(1e6 * pulls.sum(axis=1) * _rhythm(seed, start, span)).astype(np.int64)
        total = np.cumsum(weights)
        taken = orders * total // total[YEAR - 1]
        by_day = np.diff(taken, prepend=0)[:days]
        shares = np.cumsum(pulls, axis=1)[:days]
        return cls(
            orders=by_day,
            seen=by_day - _not_yet_seen(seed, by_day),
            customers=_customers(orders, taken[:days]),
            store_shares=shares / shares[:, -1:],
        )


def items_before(rows: Ints) -> Ints:
    """Count the items of a day's first `rows` orders."""
    rounds, rest = np.divmod(rows, len(BASKETS))
    before = np.concatenate([[0], BASKET_ENDS])
    return rounds * BASKET_ENDS[-1] + before[rest]


def order_of(items: Ints) -> Ints:
    """Find the order, by its place in the day, that holds a day's n-th item (both from 0)."""
    rounds, rest = np.divmod(items, BASKET_ENDS[-1])
    return rounds * len(BASKETS) + np.searchsorted(BASKET_ENDS, rest, side="right")


def _pulls(span: Ints) -> NDArray[np.float64]:
    opens = np.array([store.opens for store in STORES])
    pull = np.array([store.pull for store in STORES])
    age = span[:, None] - opens
    return np.where(age >= 0, pull * np.clip((age + 15) / _DAYS_TO_KNOWN, 0, 1), 0.0)


def _rhythm(seed: int, start: date, span: Ints) -> NDArray[np.float64]:
    weekday = _WEEKDAYS[(span + start.weekday()) % 7]
    of_year = span + start.timetuple().tm_yday
    season = 1 + _SEASON * np.sin(2 * np.pi * (of_year - 105) / 365.25)
    growth = 1 + _GROWTH * span / YEAR
    return weekday * season * growth * (0.92 + 0.16 * unit(seed, Use.TRADE, span))


def _not_yet_seen(seed: int, by_day: Ints) -> Ints:
    # About 1 % of a day arrives late: its last rows. So what is seen of a day is always a prefix.
    days = np.arange(len(by_day))
    age = len(by_day) - 1 - days
    soon = np.floor(0.007 * by_day + unit(seed, Use.LATE_ONE_DAY, days)).astype(np.int64)
    later = np.floor(0.003 * by_day + unit(seed, Use.LATE_TWO_DAYS, days)).astype(np.int64)
    return np.minimum(by_day, np.where(age == 0, soon, 0) + np.where(age <= 1, later, 0))


def _customers(orders: int, taken: Ints) -> Ints:
    # New faces come faster at first: the square-root-like power leaves regulars in later months.
    known = np.rint(CUSTOMERS_PER_ORDER * orders * (taken / orders) ** 0.8).astype(np.int64)
    return np.maximum(known, 1)


def dates(start: date, days: int) -> NDArray[np.bytes_]:
    """Return the days from `start` as 10 ASCII bytes each."""
    return np.array([(start + timedelta(days=n)).isoformat() for n in range(days)], dtype="S10")
