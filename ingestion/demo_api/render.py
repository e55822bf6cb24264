"""From columns to JSON without a Python object for each row."""

from io import BytesIO

import polars as pl

from ingestion.demo_api.draw import Texts


def text(column: Texts) -> pl.Series:
    """Make a polars column of ASCII bytes."""
    return pl.Series(column).cast(pl.String)


def as_json(frame: pl.DataFrame) -> bytes:
    """Write the rows as a bare JSON array, UTF-8."""
    target = BytesIO()  # without one polars decodes to str, which would be encoded again
    frame.write_json(target)
    return target.getvalue()
