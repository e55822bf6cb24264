"""What the HTTP side needs from a shop, wherever its rows come from."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

ENDPOINTS = ("customers", "orders", "items", "products", "stores", "supplies")


@dataclass(frozen=True)
class Days:
    """A range of whole days, both ends included; None leaves that end open."""

    first: date | None = None
    last: date | None = None


EVERY_DAY = Days()


class Shop(Protocol):
    """Rows of the six endpoints, in an order that does not change while the server runs."""

    @property
    def about(self) -> str:
        """Say in one sentence where the rows come from."""

    @property
    def now(self) -> datetime:
        """The end of the last day: what comes later has not happened yet."""

    def sample(self, share: float) -> "pl.DataFrame":
        """Draw about `share` of all orders, the same ones whatever days come after them.

        Columns: id, customer_id, ordered_at and order_total as text, and `lot`, 64 random bits.
        """

    def count(self, endpoint: str, days: Days = EVERY_DAY) -> int:
        """Count the rows of an endpoint; `days` narrows orders and nothing else."""

    def page(self, endpoint: str, start: int, size: int, days: Days = EVERY_DAY) -> bytes:
        """Return rows `start` to `start + size` (from 0) as a JSON array, UTF-8."""
