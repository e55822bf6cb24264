"""The shop's help desk: tickets about its orders, which change in place as days go by.

Nothing is drawn in sequence: what will become of a ticket follows from its order, and the desk
shows what has happened by the end of the shop's last day.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.demo_api.draw import Floats, Ints, Keys, Use, bits, unit
from ingestion.demo_api.render import as_json
from ingestion.demo_api.shop import Shop

SHARE = 0.02  # of the orders end up at the desk
_HOUR, _DAY = 3_600, 86_400
_FIRST_ID = 10_001
_TOPICS = pl.Series(["cold", "late", "wrong item", "bill", "lost property"])
_CHANNELS = pl.Series(["e-mail", "chat", "phone"])
_ASKED = "My order was not what I had hoped for ({})."
_REPLIED, _CLOSED = "We are sorry to hear that, and look into it.", "This is settled. Come again!"
_STATUS = (
    pl.when(pl.col("solved_at").is_not_null()).then(pl.lit("solved"))
    .when(pl.col("replied_at").is_not_null()).then(pl.lit("pending"))
    .otherwise(pl.lit("open")).alias("status")
)  # fmt: skip
_SHARE_RATED = 0.6
_PARTS_REFUNDED = np.array([0.0, 0.0, 0.0, 0.5, 1.0])


class Position(NamedTuple):
    """A place in the list of tickets, which is in the order of their last change."""

    second: int
    id: int


class CursorError(ValueError):
    """A cursor that no answer has given."""


class Desk:
    """The tickets of a shop; one frame in memory, some hundred bytes a ticket."""

    def __init__(self, shop: Shop) -> None:
        """Open a desk for the customers of `shop`, whose calendar may move."""
        self._shop = shop
        self._known: tuple[datetime, pl.DataFrame] | None = None

    def tickets(self) -> pl.DataFrame:
        """All tickets as they stand now, the latest change last, with `second`, the time of it."""
        now = self._shop.now
        known = self._known
        if known is None or known[0] != now:
            self._known = known = now, _tickets(self._shop.sample(SHARE), _seconds(now))
        return known[1]


@dataclass(frozen=True)
class TicketPage:
    """A page of tickets as it was asked for: those changed at `since` or later and before
    `until`, behind `after`."""

    desk: Desk
    size: int
    since: datetime | None = None
    until: datetime | None = None
    after: Position | None = None

    endpoint = "tickets"

    @property
    def headers(self) -> dict[str, str]:
        """None of its own: the next page is named in the body."""
        return {}

    @property
    def number(self) -> int:
        """Which page of the walk this is, from 1."""
        first, start = self._bounds
        return (start - first) // self.size + 1

    @property
    def preceding(self) -> "TicketPage":
        """The page before this one; the first page is its own."""
        first, start = self._bounds
        before = max(first, start - self.size) - 1
        after = self._position(before) if before >= 0 else None
        return TicketPage(self.desk, self.size, self.since, self.until, after)

    def rows(self) -> bytes:
        """Return the tickets as a JSON array."""
        start = self._bounds[1]
        return as_json(self._tickets[start : start + self.size].drop("second"))

    def body(self, rows: bytes, last: bool = False) -> bytes:
        """Put rows into the envelope, with the cursor of the page after this one."""
        end = self._bounds[1] + self.size
        more = not last and end < self._tickets.height
        cursor = f'"{_written(self._position(end - 1))}"' if more else "null"
        return b'{"data":' + rows + f',"next_cursor":{cursor}}}'.encode()

    @cached_property
    def _tickets(self) -> pl.DataFrame:
        tickets = self.desk.tickets()
        if self.until is None:
            return tickets
        return tickets.head(tickets["second"].search_sorted(_seconds(self.until), "left"))

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        """Where the whole walk begins, and where this page does."""
        seconds = self._tickets["second"]
        first = seconds.search_sorted(_seconds(self.since), "left") if self.since else 0
        if self.after is None:
            return first, first
        low = seconds.search_sorted(self.after.second, "left")
        high = seconds.search_sorted(self.after.second, "right")
        behind = self._tickets["id"][low:high].search_sorted(self.after.id, "right")
        return first, max(first, low + behind)

    def _position(self, place: int) -> Position:
        return Position(self._tickets["second"][place], self._tickets["id"][place])


def read_cursor(written: str) -> Position:
    """Read a cursor of `next_cursor`; raises CursorError."""
    try:
        second, _, id_ = base64.urlsafe_b64decode(written.encode()).decode().partition(".")
        return Position(int(second), int(id_))
    except (ValueError, binascii.Error) as error:
        raise CursorError("This cursor is none of ours: take it from next_cursor.") from error


def _written(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.second}.{position.id}".encode()).decode()


def _seconds(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _tickets(orders: pl.DataFrame, now: int) -> pl.DataFrame:
    orders = orders.with_columns(
        pl.col("ordered_at").str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False).dt.epoch("s"),
        pl.col("order_total").cast(pl.Int64, strict=False),
    ).drop_nulls(["id", "customer_id", "ordered_at", "order_total"])
    lots = orders["lot"].to_numpy()
    opened = orders["ordered_at"].to_numpy() + _after(lots)
    seen = opened < now
    orders, lots, opened = orders.filter(pl.Series(seen)), lots[seen], opened[seen]
    # A longer calendar adds later tickets and none between these, so their ids stay.
    rank = np.lexsort((lots, opened))
    return _as_sent(orders[rank], lots[rank], opened[rank], now).sort("second", "id")


def _after(lots: Keys) -> Ints:
    # Two days or more: an order is seen up to two days late, and no ticket names one unseen.
    return (2 * _DAY + 3 * _DAY * unit(0, Use.OPENED, lots)).astype(np.int64)


def _as_sent(orders: pl.DataFrame, lots: Keys, opened: Ints, now: int) -> pl.DataFrame:
    """The columns of the API, in its order, and `second`, the time of the last change."""
    replied = opened + _spread(lots, Use.REPLIED, 600, 30 * _HOUR)
    solved = replied + _spread(lots, Use.SOLVED, _HOUR, 12 * _DAY)
    rated = solved + _spread(lots, Use.RATED, _HOUR, 2 * _DAY)
    rates = unit(0, Use.RATED, lots) < _SHARE_RATED
    speed = np.clip(3 - (replied - opened) // (7 * _HOUR), 1, 3)  # who waits is less content
    stars = speed + (3 * unit(0, Use.STARS, lots)).astype(np.int64)
    cents = orders["order_total"].to_numpy() * _chosen(lots, Use.REFUND, _PARTS_REFUNDED)
    columns = {
        "id": pl.Series(np.arange(_FIRST_ID, _FIRST_ID + len(lots))),
        "order_id": orders["id"],
        "customer_id": orders["customer_id"],
        "topic": _chosen_texts(lots, Use.TOPIC, _TOPICS),
        "channel": _chosen_texts(lots, Use.CHANNEL, _CHANNELS),
        "created_at": pl.Series(opened),
        "replied_at": _where(replied < now, replied),
        "solved_at": _where(solved < now, solved),
        "rated_at": _where(rates & (rated < now), rated),
        "satisfaction": _where(rates & (rated < now), stars),
        "refund": _where(solved < now, np.rint(cents) / 100),
    }
    times = ("created_at", "replied_at", "solved_at", "rated_at")
    return pl.DataFrame(columns).select(
        "id", "order_id", _STATUS, "topic",
        pl.struct("customer_id", "channel").alias("requester"),
        _moment(pl.col("created_at")).alias("created_at"),
        _moment(pl.max_horizontal(times)).alias("updated_at"),
        "satisfaction", "refund", _messages(), pl.max_horizontal(times).alias("second"),
    )  # fmt: skip


def _messages() -> pl.Expr:
    parts = (
        ("customer", "created_at", pl.format(_ASKED, "topic")),
        ("agent", "replied_at", pl.lit(_REPLIED)),
        ("agent", "solved_at", pl.lit(_CLOSED)),
    )
    written = [
        pl.when(pl.col(at).is_not_null()).then(
            pl.struct(
                id=pl.col("id") * 10 + number,
                author=pl.lit(author),
                sent_at=_moment(pl.col(at)),
                body=body,
            )
        )
        for number, (author, at, body) in enumerate(parts, 1)
    ]
    return pl.concat_list(written).list.drop_nulls().alias("messages")


def _moment(second: pl.Expr) -> pl.Expr:
    return pl.from_epoch(second, "s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _where(known: NDArray[np.bool_], values: Ints | Floats) -> pl.Series:
    """The values, null where they are not known yet."""
    return pl.Series(values).set(pl.Series(~known), None)


def _spread(lots: Keys, use: Use, least: int, most: int) -> Ints:
    """Seconds between the two, more often few than many."""
    return (least + (most - least) * unit(0, use, lots) ** 3).astype(np.int64)


def _chosen(lots: Keys, use: Use, among: Floats) -> Floats:
    return among[bits(0, use, lots) % np.uint64(len(among))]


def _chosen_texts(lots: Keys, use: Use, among: pl.Series) -> pl.Series:
    return among.gather(bits(0, use, lots) % np.uint64(len(among)))
