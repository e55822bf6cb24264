"""A shop made up on the fly: any number of orders, any page of them, nothing held in memory.

A page is located by a binary search (which day, which row of the day), and each row's values are
hashes of its place (see `draw`), so a page costs its own rows and no others.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from ingestion.demo_api import changes, lists, people
from ingestion.demo_api.curve import Curve, items_before
from ingestion.demo_api.draw import Ints, Use, drawn, keys, uuids
from ingestion.demo_api.orders import OrderBook
from ingestion.demo_api.render import as_json, text
from ingestion.demo_api.shop import EVERY_DAY, Days

DEFAULT_ORDERS = 60_000
DEFAULT_DAYS = 365
DEFAULT_START = date(2024, 9, 1)
DEFAULT_SEED = 0
_DRAWN = 1_000_000  # orders looked at in one go


class _Table(NamedTuple):
    bounds: Callable[[Days], tuple[int, int]]
    rows: Callable[[int, int], pl.DataFrame]


class GeneratedShop:
    """A shop whose rows are worked out when they are asked for.

    A longer calendar adds rows and moves the slowly changing things, and alters nothing else. About
    1 % of a day's orders can be seen only one or two days later.
    """

    def __init__(
        self,
        orders: int = DEFAULT_ORDERS,
        days: int = DEFAULT_DAYS,
        start: date = DEFAULT_START,
        seed: int = DEFAULT_SEED,
    ) -> None:
        """Open a shop on `start` that has traded for `days` days; today is the last of them.

        `orders` is what it takes in its first 365 days, however long the calendar is.
        """
        self._seed, self._start, self._days = seed, start, days
        self._curve = Curve.drawn(seed, orders, start, days)
        self._book = OrderBook(seed, self._curve, start)
        self._orders_until = _running(self._curve.seen)
        self._items_until = _running(items_before(self._curve.seen))
        self._renames = changes.renames(seed, self._curve.customers)
        self._tables = {
            "customers": _Table(lambda _: (0, int(self._curve.customers[-1])), self._customers),
            "orders": _Table(self._orders_between, self._orders),
            "items": _Table(lambda _: (0, int(self._items_until[-1])), self._items),
            "products": _whole(lists.products(seed, days)),
            "stores": _whole(lists.stores(seed, start, days)),
            "supplies": _whole(lists.supplies(seed, days)),
        }

    @property
    def about(self) -> str:
        """Say in one sentence where the rows come from."""
        today = self._start + timedelta(days=self._days - 1)
        return f"A made-up shop: {self.count('orders'):,} orders from {self._start} to {today}."

    @property
    def now(self) -> datetime:
        """The end of the last day: what comes later has not happened yet."""
        return datetime.combine(self._start + timedelta(days=self._days), time())

    def sample(self, share: float) -> pl.DataFrame:
        """Draw about `share` of all orders; see `Shop`."""
        total, parts = self.count("orders"), []
        for begin in range(0, max(total, 1), _DRAWN):
            day, row = _places(self._orders_until, begin, min(begin + _DRAWN, total))
            chosen, lots = drawn(self._seed, keys(day, row), share)
            orders = self._book.orders(day[chosen], row[chosen])
            parts.append(orders.drop("items").with_columns(lot=pl.Series(lots)))
        return pl.concat(parts)

    def count(self, endpoint: str, days: Days = EVERY_DAY) -> int:
        """Count the rows of an endpoint that can be seen today."""
        first, end = self._tables[endpoint].bounds(days)
        return end - first

    def page(self, endpoint: str, start: int, size: int, days: Days = EVERY_DAY) -> bytes:
        """Return rows `start` to `start + size` (from 0) as a JSON array."""
        first, end = self._tables[endpoint].bounds(days)
        begin = min(first + start, end)
        return as_json(self._tables[endpoint].rows(begin, min(begin + size, end)))

    def _orders_between(self, days: Days) -> tuple[int, int]:
        first = 0 if days.first is None else (days.first - self._start).days
        after = self._days if days.last is None else (days.last - self._start).days + 1
        begin, end = self._orders_until[np.clip([first, after], 0, self._days)]
        return int(begin), int(max(begin, end))

    def _orders(self, begin: int, end: int) -> pl.DataFrame:
        return self._book.orders(*_places(self._orders_until, begin, end))

    def _items(self, begin: int, end: int) -> pl.DataFrame:
        return self._book.items(*_places(self._items_until, begin, end))

    def _customers(self, begin: int, end: int) -> pl.DataFrame:
        customers = np.arange(begin, end)
        renamed = changes.times_renamed(customers, *self._renames)
        ids = text(uuids(self._seed, Use.CUSTOMER_ID, customers))
        return pl.DataFrame({"id": ids, "name": people.names(self._seed, customers, renamed)})


def _whole(frame: pl.DataFrame) -> _Table:
    return _Table(lambda _: (0, frame.height), lambda begin, end: frame[begin:end])


def _running(by_day: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(by_day)])


def _places(until: Ints, begin: int, end: int) -> tuple[Ints, Ints]:
    rows = np.arange(begin, end)
    day = np.searchsorted(until, rows, side="right") - 1
    return day, rows - until[day]
