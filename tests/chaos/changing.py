"""`python -m tests.chaos.changing PORT ORDERS DAYS_FILE`: a demo shop that changes its mind.

The demo's calendar brings new orders (a few of them days late), renamed customers and new costs.
Here some of the newest day's orders are provisional too: a day later they name another customer,
and their items stand in another order. The day is read from a file, so that a process need not end
for its shop to grow older.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ingestion.demo_api import listen
from ingestion.demo_api.app import create_app
from ingestion.demo_api.draw import Use, uuids
from ingestion.demo_api.faults import Faults
from ingestion.demo_api.generator import GeneratedShop
from ingestion.demo_api.render import text
from ingestion.demo_api.shop import EVERY_DAY, Days

PROVISIONAL = "^[0-3]"  # a quarter of the ids: they are hashes


class ProvisionalShop(GeneratedShop):
    """The demo shop, with orders of today that are not final."""

    def _orders(self, begin: int, end: int) -> pl.DataFrame:
        orders = super()._orders(begin, end)
        today = np.arange(begin, end) >= self._orders_until[-2]
        changes = pl.col("id").str.contains(PROVISIONAL) & pl.Series(today)
        somebody = text(uuids(self._seed, Use.CUSTOMER_ID, np.arange(1)))[0]
        return orders.with_columns(
            pl.when(changes).then(pl.lit(somebody)).otherwise("customer_id").alias("customer_id"),
            pl.when(changes).then(pl.col("items").list.reverse()).otherwise("items").alias("items"),
        )


class AgeingShop:
    """The shop as old as the file says."""

    about = "A shop for tests of chaos."

    def __init__(self, orders: int, days: Path) -> None:
        self._orders, self._days = orders, days
        self._shops: dict[str, ProvisionalShop] = {}

    def count(self, endpoint: str, days: Days = EVERY_DAY) -> int:
        return self._now().count(endpoint, days)

    @property
    def now(self) -> datetime:
        return self._now().now

    def sample(self, share: float) -> pl.DataFrame:
        return self._now().sample(share)

    def page(self, endpoint: str, *args: Any, **options: Any) -> bytes:
        return self._now().page(endpoint, *args, **options)

    def _now(self) -> ProvisionalShop:
        today = self._days.read_text()
        if today not in self._shops:
            self._shops = {today: ProvisionalShop(self._orders, int(today))}
        return self._shops[today]


if __name__ == "__main__":
    port, orders, days = sys.argv[1:]
    listen.end_with_parent()
    bound = listen.bind("127.0.0.1", int(port))
    listen.serve(create_app(AgeingShop(int(orders), Path(days)), Faults()), bound, quiet=True)
