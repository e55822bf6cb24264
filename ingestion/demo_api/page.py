"""One page of one endpoint: which rows it has, and what comes after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from ingestion.demo_api.shop import EVERY_DAY, Days, Shop

API_PATH = "/api/v1"
PIECE = 20_000  # rows rendered at a time, so that no page size can fill the memory


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
