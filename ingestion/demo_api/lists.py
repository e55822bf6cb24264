"""The short lists of a generated shop, whole: products, stores, supplies."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ingestion.demo_api import changes
from ingestion.demo_api.catalogue import PRODUCTS, STORES, SUPPLIES
from ingestion.demo_api.draw import Use, uuids


def products(seed: int, days: int) -> pl.DataFrame:
    """Return the menu as it reads after `days` days."""
    texts = changes.descriptions(seed, days)
    rows = [(p.sku, p.name, p.type, str(p.price), texts[p.sku]) for p in PRODUCTS]
    return pl.DataFrame(rows, ["sku", "name", "type", "price", "description"], orient="row")


def stores(seed: int, start: date, days: int) -> pl.DataFrame:
    """Return the stores that have opened so far."""
    ids = uuids(seed, Use.STORE_ID, np.arange(len(STORES)))
    rows = [
        (id_.decode(), store.name, f"{start + timedelta(store.opens)}T00:00:00", store.tax_rate)
        for id_, store in zip(ids, STORES, strict=True)
        if store.opens < days
    ]
    return pl.DataFrame(rows, ["id", "name", "opened_at", "tax_rate"], orient="row")


def supplies(seed: int, days: int) -> pl.DataFrame:
    """Return one row for each product a supply goes into, at what it costs after `days` days."""
    cost = changes.costs(seed, days)
    rows = [
        (id_, SUPPLIES[id_].name, str(cost[id_]), SUPPLIES[id_].perishable, product.sku)
        for product in PRODUCTS
        for id_ in product.supplies
    ]
    return pl.DataFrame(rows, ["id", "name", "cost", "perishable", "sku"], orient="row")
