"""Ways to break the rows of a page: pure functions on decoded JSON."""

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

KEYS = {"products": "sku"}  # everything else is known by its id
NUMBERS = {
    "orders": ("order_total", "subtotal", "tax_paid"),
    "products": ("price",),
    "stores": ("tax_rate",),
    "supplies": ("cost",),
    "tickets": ("refund", "satisfaction"),
}
TEXTS = {
    "customers": ("name", "id"),
    "orders": ("ordered_at", "id", "customer_id", "store_id"),
    "items": ("sku", "id", "order_id"),
    "products": ("name", "sku", "type", "description"),
    "stores": ("name", "id", "opened_at"),
    "supplies": ("name", "id", "sku"),
    "tickets": ("status", "id", "order_id", "topic", "created_at", "updated_at"),
}


def columns(endpoint: str) -> tuple[str, ...]:
    """List the plain columns of an endpoint, its numbers first."""
    return NUMBERS.get(endpoint, ()) + TEXTS[endpoint]


def key_of(endpoint: str) -> str:
    """Name the column that a row is known by."""
    return KEYS.get(endpoint, "id")


def missing_key(row: Row, column: str) -> None:
    """Leave a column out of the row."""
    row.pop(column, None)


def null_key(row: Row, column: str) -> None:
    """Put null where a value must be."""
    row[column] = None


def wrong_type(row: Row, column: str) -> None:
    """Put words where a number must be, and an object where text must be."""
    numeric = any(column in names for names in NUMBERS.values())
    row[column] = "not a number" if numeric else {"unexpected": "object"}


def out_of_range(row: Row, column: str) -> None:
    """Make a number negative that cannot be."""
    row[column] = "-1"


def unknown_column(row: Row, column: str) -> None:
    """Add a column that the contract does not know."""
    row[column] = "7"


def type_changed(row: Row, column: str) -> None:
    """Wrap the value in an object, as when a price becomes an amount with a currency."""
    row[column] = {"value": row.get(column)}


def wrong_total(row: Row, column: str) -> None:
    """Add a cent to what an order cost: no rule of the contract is broken."""
    if "order_total" in row:
        row["order_total"] = str(int(row["order_total"]) + 1)


Spoil = Callable[[Row, str], None]
