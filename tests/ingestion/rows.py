"""Rows as the API writes them, and pages of them, for tests to bend."""

import copy
import json
from typing import Any

import msgspec

from ingestion.pages import Page

Row = dict[str, Any]

ORDER: Row = {
    "id": "o1",
    "customer_id": "c1",
    "store_id": "s1",
    "ordered_at": "2024-09-01T08:15:00",
    "subtotal": "600",
    "tax_paid": "36",
    "order_total": "636",
    "items": [
        {"id": "i1", "order_id": "o1", "sku": "JAF-001"},
        {"id": "i2", "order_id": "o1", "sku": "BEV-001"},
    ],
}
STORE: Row = {
    "id": "s1",
    "name": "Philadelphia",
    "opened_at": "2024-09-01T00:00:00",
    "tax_rate": "0.06",
}
PRODUCT: Row = {
    "sku": "JAF-001",
    "name": "nutellaphone who dis?",
    "type": "jaffle",
    "price": "1100",
    "description": "nutella and banana jaffle",
}
SUPPLY: Row = {
    "id": "SUP-001",
    "name": "compostable cutlery - knife",
    "cost": "7",
    "perishable": False,
    "sku": "JAF-001",
}
CUSTOMER: Row = {"id": "c1", "name": "Ada Byron"}


def order(**changes: Any) -> Row:
    """An order, with other values where they are given; a missing one where that is `...`."""
    return changed(ORDER, **changes)


def make_orders(*ids: str, day: str = "2024-09-01", **changes: Any) -> list[Row]:
    """An order with one item for each id, all of one day."""
    return [
        order(
            id=each,
            ordered_at=f"{day}T08:15:00",
            items=[{"id": f"{each}-1", "order_id": each, "sku": "JAF-001"}],
            **changes,
        )
        for each in ids
    ]


def changed(row: Row, **changes: Any) -> Row:
    """A copy of the row with other values; `...` takes a key away."""
    made = copy.deepcopy(row) | changes
    return {name: value for name, value in made.items() if value is not ...}


def small_shop() -> dict[str, list[Row]]:
    """Every endpoint with a row or three."""
    return {
        "orders": make_orders("o1", "o2", "o3"),
        "customers": [changed(CUSTOMER), changed(CUSTOMER, id="c2", name="Grace Hopper")],
        "products": [changed(PRODUCT)],
        "stores": [changed(STORE)],
        "supplies": [changed(SUPPLY), changed(SUPPLY, sku="BEV-001")],
    }


def page(*rows: object, resource: str = "orders", **style: Any) -> Page:
    """A page of rows; bytes among them are taken as they are."""
    raw = [row if isinstance(row, bytes) else json.dumps(row, **style).encode() for row in rows]
    return Page(resource, 7, f"http://shop/api/v1/{resource}", [msgspec.Raw(each) for each in raw])
