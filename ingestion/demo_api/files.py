"""A shop read from the six files that dbt Labs' generator `jafgen` writes, plain or gzipped.

Values are served as the files spell them: nothing is parsed as a number on the way.
"""

from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from ingestion.demo_api.draw import drawn
from ingestion.demo_api.render import as_json
from ingestion.demo_api.shop import ENDPOINTS, EVERY_DAY, Days

_COLUMNS = {
    "customers": ("id", "name"),
    "orders": (
        "id", "customer", "ordered_at", "store_id", "subtotal", "tax_paid", "order_total"
    ),
    "items": ("id", "order_id", "sku"),
    "products": ("sku", "name", "type", "price", "description"),
    "stores": ("id", "name", "opened_at", "tax_rate"),
    "supplies": ("id", "name", "cost", "perishable", "sku"),
}  # fmt: skip
_ORDER_COLUMNS = (
    "id", "customer_id", "store_id", "ordered_at", "subtotal", "tax_paid", "order_total", "items"
)  # fmt: skip


class FilesError(Exception):
    """The folder given to --data cannot be served; the message says which file and why."""


class FileShop:
    """A shop that serves six files; a gzipped file is as good as a plain one."""

    def __init__(self, folder: Path) -> None:
        """Read all files of `folder`; raises FilesError when a file or a column is missing."""
        self._folder = folder
        frames = {endpoint: _read(folder, endpoint) for endpoint in ENDPOINTS}
        frames["orders"] = _with_items(frames["orders"], frames["items"])
        frames["supplies"] = _with_booleans(frames["supplies"], folder)
        self._frames = frames

    @property
    def about(self) -> str:
        """Say in one sentence where the rows come from."""
        return f"The shop in {self._folder}: {self.count('orders'):,} orders."

    @property
    def now(self) -> datetime:
        """The end of the last order's day: the files have no other calendar."""
        times = self._frames["orders"]["ordered_at"]
        last = times.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False).max()
        midnight = datetime.combine(last, time()) if isinstance(last, datetime) else datetime.min
        return midnight + timedelta(days=1)

    def sample(self, share: float) -> pl.DataFrame:
        """Draw about `share` of all orders; see `Shop`."""
        orders = self._frames["orders"]
        chosen, lots = drawn(0, np.arange(orders.height), share)
        return orders.drop("items").filter(pl.Series(chosen)).with_columns(lot=pl.Series(lots))

    def count(self, endpoint: str, days: Days = EVERY_DAY) -> int:
        """Count the rows of an endpoint; `days` narrows orders and nothing else."""
        return self._rows(endpoint, days).height

    def page(self, endpoint: str, start: int, size: int, days: Days = EVERY_DAY) -> bytes:
        """Return rows `start` to `start + size` (from 0) as a JSON array, in the file's order."""
        return as_json(self._rows(endpoint, days).slice(start, size))

    def _rows(self, endpoint: str, days: Days) -> pl.DataFrame:
        frame = self._frames[endpoint]
        if endpoint != "orders" or days == EVERY_DAY:
            return frame
        day = pl.col("ordered_at").str.head(10)
        first, last = days.first or "", days.last or "9999-12-31"
        return frame.filter(day.is_between(pl.lit(str(first)), pl.lit(str(last))))


def _read(folder: Path, endpoint: str) -> pl.DataFrame:
    path = _find(folder, endpoint)
    try:
        # Everything as text: 0.0400 must not become 0.04, nor 007 become 7.
        frame = pl.read_csv(path, infer_schema=False)
    except (PolarsError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FilesError(f"{path} cannot be read as CSV ({reason}): write it anew.") from error
    missing = [column for column in _COLUMNS[endpoint] if column not in frame.columns]
    if missing:
        raise FilesError(
            f"{path} has no column {' and no column '.join(missing)}: "
            f"its first line must name {', '.join(_COLUMNS[endpoint])}, as jafgen writes it."
        )
    return frame.select(_COLUMNS[endpoint])


def _find(folder: Path, endpoint: str) -> Path:
    name = f"raw_{endpoint}.csv"
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FilesError(
        f"{folder} holds neither {name} nor {name}.gz: point --data at a folder with the six "
        "raw_*.csv files that jafgen writes."
    )


def _with_items(orders: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    row = pl.struct("id", "order_id", "sku")
    nested = items.group_by("order_id", maintain_order=True).agg(items=row)
    joined = orders.join(
        nested, left_on="id", right_on="order_id", how="left", maintain_order="left"
    )
    # jafgen writes some orders without any item; the API gives those an empty list.
    filled = joined.with_columns(pl.col("items").fill_null([])).rename({"customer": "customer_id"})
    return filled.select(_ORDER_COLUMNS)


def _with_booleans(supplies: pl.DataFrame, folder: Path) -> pl.DataFrame:
    spelt = pl.col("perishable").str.to_lowercase()
    strange = supplies.filter(~spelt.is_in(["true", "false"]).fill_null(False))
    if strange.height:
        raise FilesError(
            f"{folder}/raw_supplies.csv has a perishable that is neither True nor False "
            f"({strange['perishable'][0]!r}, supply {strange['id'][0]}): correct it."
        )
    return supplies.with_columns(perishable=spelt == "true")
