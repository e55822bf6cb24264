"""One page of one endpoint: which rows it has, and what comes after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from ingestion.demo_api.shop import EVERY_DAY, Days, Shop

API_PATH, DESK_PATH = "/api/v1", "/support/v1"
DESK_TOKEN = "demo-desk"  # noqa: S105 - printed at the start: it guards nothing
PIECE = 20_000  # rows rendered at a time, so that no page size can fill the memory


class AnyPage(Protocol):
    """What a fault needs to know of a page, whatever it is wrapped in."""

    @property
    def endpoint(self) -> str:
        """Whose rows these are."""

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer."""

    @property
    def preceding(self) -> "AnyPage":
        """The page before this one; the first page is its own."""

    def rows(self) -> bytes:
        """Return the rows alone, as a JSON array."""

    def body(self, rows: bytes, last: bool = False) -> bytes:
        """Return the whole answer with these rows; the last page names no next one."""


@dataclass(frozen=True)
class Page:
    """A page as it was asked for; `number` from 1, `query` the request's parameters in order."""

    shop: Shop
    endpoint: str
    number: int
    size: int
    days: Days = EVERY_DAY
    query: tuple[tuple[str, str], ...] = ()

    @property
    def count(self) -> int:
        """The number of rows on this page."""
        return max(0, min(self.size, self._total() - self._start))

    @property
    def headers(self) -> dict[str, str]:
        """The Link to the next page, as a path without a host; nothing on the last page."""
        if self._start + self.size >= self._total():
            return {}
        query = urlencode(dict(self.query) | {"page": str(self.number + 1)})
        return {"Link": f'<{API_PATH}/{self.endpoint}?{query}>; rel="next"'}

    @property
    def preceding(self) -> "Page":
        """The page before this one; the first page is its own."""
        number = max(1, self.number - 1)
        return Page(self.shop, self.endpoint, number, self.size, self.days, self.query)

    def rows(self) -> bytes:
        """Return the whole page as a JSON array."""
        return b"".join(self.pieces())

    def body(self, rows: bytes, last: bool = False) -> bytes:
        """Return the rows: nothing is wrapped around them."""
        return rows

    def pieces(self) -> Iterator[bytes]:
        """Yield the page as one JSON array in pieces of bounded size."""
        starts = range(self._start, self._start + self.count, PIECE)
        yield b"["
        for start in starts:
            size = min(PIECE, self._start + self.count - start)
            rows = self.shop.page(self.endpoint, start, size, self.days)
            yield rows[1:-1] if start == starts[0] else b"," + rows[1:-1]
        yield b"]"

    @property
    def _start(self) -> int:
        return (self.number - 1) * self.size

    def _total(self) -> int:
        return self.shop.count(self.endpoint, self.days)
