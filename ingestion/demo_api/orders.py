"""The rows of orders and items, made from their places: (day, row of the day)."""

from datetime import date

import numpy as np
import polars as pl

from ingestion.demo_api.catalogue import PRODUCTS, SHARE_OF_ITEMS, STORES
from ingestion.demo_api.curve import BASKETS, Curve, dates, items_before, order_of
from ingestion.demo_api.draw import Floats, Ints, Keys, Use, keys, unit, uuids
from ingestion.demo_api.render import text

_OPENS_AT, _MINUTES_OPEN = 7 * 60, 13 * 60
_SKUS = pl.Series([product.sku for product in PRODUCTS])
_PRICES = np.array([product.price for product in PRODUCTS])
_SKU_SHARES = np.cumsum(SHARE_OF_ITEMS) / sum(SHARE_OF_ITEMS)
_TAX_RATES = np.array([float(store.tax_rate) for store in STORES])
_TIMES = np.array([f"T{m // 60:02}:{m % 60:02}:00" for m in range(24 * 60)], dtype="S9")
_REGULARS = 0.4  # the share of orders that go to every fifth customer
_MONEY = ("subtotal", "tax_paid", "order_total")


def tax(subtotal: Ints, rate: Floats) -> Ints:
    """Work out the tax in cents the way jafgen does: in dollars and floats, then cut off.

    So 30.00 at 6 % is 1.79, not 1.80: real feeds have such cents, and marts must live with them.
    """
    return np.trunc(subtotal / 100 * rate * 100).astype(np.int64)


class OrderBook:
    """Writes any orders and items of a generated shop; holds one small array a day."""

    def __init__(self, seed: int, curve: Curve, start: date) -> None:
        """Keep the books of the shop that opened on `start` and trades along `curve`."""
        self._seed, self._curve = seed, curve
        self._dates = dates(start, len(curve.seen))
        self._store_ids = uuids(seed, Use.STORE_ID, np.arange(len(STORES)))

    def orders(self, day: Ints, row: Ints) -> pl.DataFrame:
        """Return the orders at these places, each with its items nested."""
        key, sizes = keys(day, row), BASKETS[row % len(BASKETS)]
        first = np.cumsum(sizes) - sizes
        item = np.repeat(items_before(row) - first, sizes) + np.arange(sizes.sum())
        sku = self._sku(np.repeat(day, sizes), item)
        ids = text(uuids(self._seed, Use.ORDER_ID, key))
        of_order = np.repeat(np.arange(len(row)), sizes)
        items = self._item_rows(np.repeat(day, sizes), item, ids.gather(of_order), sku)
        store = self._store(day, key)
        columns = {
            "id": ids,
            "customer_id": text(uuids(self._seed, Use.CUSTOMER_ID, self._buyer(day, row, key))),
            "store_id": text(self._store_ids[store]),
            "ordered_at": self._moment(day, key),
            "items": _nested(items, of_order),
        } | _money(_PRICES[sku], first, _TAX_RATES[store])
        order = ["id", "customer_id", "store_id", "ordered_at", *_MONEY, "items"]
        return pl.DataFrame(columns).select(order).cast(dict.fromkeys(_MONEY, pl.String))

    def items(self, day: Ints, item: Ints) -> pl.DataFrame:
        """Return the items at these places, `item` counting through the day's orders."""
        orders = text(uuids(self._seed, Use.ORDER_ID, keys(day, order_of(item))))
        return self._item_rows(day, item, orders, self._sku(day, item))

    def _item_rows(self, day: Ints, item: Ints, orders: pl.Series, sku: Ints) -> pl.DataFrame:
        ids = text(uuids(self._seed, Use.ITEM_ID, keys(day, item)))
        return pl.DataFrame({"id": ids, "order_id": orders, "sku": _SKUS.gather(sku)})

    def _sku(self, day: Ints, item: Ints) -> Ints:
        drawn = unit(self._seed, Use.SKU, keys(day, item))
        return np.searchsorted(_SKU_SHARES, drawn, side="right")

    def _store(self, day: Ints, key: Keys) -> Ints:
        drawn = unit(self._seed, Use.STORE, key)
        # A closed store adds nothing to the running share, so no number can fall on it.
        return (drawn[:, None] >= self._curve.store_shares[day, :-1]).sum(axis=1)

    def _buyer(self, day: Ints, row: Ints, key: Keys) -> Ints:
        known = self._curve.customers[day]
        before = np.where(day > 0, self._curve.customers[day - 1], 0)
        # The later a customer came, the likelier to be here today.
        anyone = (known * unit(self._seed, Use.BUYER, key) ** 0.7).astype(np.int64)
        regular = unit(self._seed, Use.REGULAR, key) < _REGULARS
        returning = np.where(regular, anyone - anyone % 5, anyone)
        return np.where(row < known - before, before + row, returning)

    def _moment(self, day: Ints, key: Keys) -> pl.Series:
        halves = unit(self._seed, Use.MINUTE, key) + unit(self._seed, Use.SECOND_MINUTE, key)
        minute = _OPENS_AT + (halves * _MINUTES_OPEN / 2).astype(np.int64)
        return text(np.strings.add(self._dates[day], _TIMES[minute]))


def _money(prices: Ints, first: Ints, rate: Floats) -> dict[str, Ints]:
    # reduceat refuses an empty list of places, and an empty page is a fair question.
    subtotal = np.add.reduceat(prices, first) if len(first) else first
    paid = tax(subtotal, rate)
    return {"subtotal": subtotal, "tax_paid": paid, "order_total": subtotal + paid}


def _nested(items: pl.DataFrame, of_order: Ints) -> pl.Series:
    row = pl.Series("row", of_order).set_sorted()
    groups = items.with_columns(row).group_by("row", maintain_order=True)
    return groups.agg(items=pl.struct("id", "order_id", "sku"))["items"]
