"""Turn the values of a column, as the API wrote them, into their type of raw: the one judge.

Both the column-wise check of a whole page and the row-wise search for what broke in it ask here,
so they cannot disagree.
"""

from collections.abc import Iterator
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Column

# Arrow also reads the year 0000, which no database agrees on
FIRST: dict[str, date] = {"timestamp": datetime.min, "date": date.min}
# .NET and Go write more digits of a second than a database has: they are cut off
TOO_FINE, MICROSECONDS = r"(\.\d{6})\d+", r"\1"


def typed(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """The values in their type of raw.

    Raises:
        pa.ArrowInvalid: a value is missing, does not parse, or is out of range.
    """
    if not column.nullable:
        refuse(values.null_count, f"{column.name}: {values.null_count} values missing")
    found = _cast(values, column)
    if column.type == "whole":
        # Arrow reads "0x10" too; the API never writes a number like that
        for hexadecimal in ("0x", "0X"):
            refuse(pc.any(pc.starts_with(values, hexadecimal)).as_py(), f"{column.name}: hex")
    if column.allowed:
        known = pa.array([*column.allowed, None], pa.string())
        refuse(
            not pc.all(pc.is_in(values, value_set=known), min_count=0).as_py(),
            f"{column.name}: not allowed",
        )
    if column.pattern:
        fits = pc.match_substring_regex(values, f"^(?:{column.pattern})$")
        refuse(not pc.all(fits, min_count=0).as_py(), f"{column.name}: another form")
    lowest = FIRST.get(column.type, column.minimum)
    highest = column.ceiling()
    if lowest is not None and len(found):
        refuse(pc.any(pc.less(found, lowest)).as_py(), f"{column.name} below {lowest}")
    if highest is not None and len(found):
        refuse(pc.any(pc.greater(found, highest)).as_py(), f"{column.name} above {highest}")
    return found


def _cast(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if not column.zoned:
        found = values.cast(column.arrow_type())
        if column.type == "float":  # "1e999" is infinite to Arrow, and "nan" a number
            refuse(not pc.all(pc.is_finite(found), min_count=0).as_py(), f"{column.name}: infinite")
        return found
    digits = pc.replace_substring_regex(values, TOO_FINE, MICROSECONDS)
    return digits.cast(pa.timestamp("us", "UTC")).cast(column.arrow_type())


def refused(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Where `typed` finds a fault."""
    broken = pa.array(_refused(values.unique().drop_null(), column), values.type)
    found = pc.is_in(values, value_set=broken)
    return found if column.nullable else pc.or_(found, values.is_null())


def _refused(values: pa.Array, column: Column) -> Iterator[str | bool]:
    """Which of these, found by halving: good ones are judged in bulk."""
    try:
        typed(pa.chunked_array([values]), column)
    except pa.ArrowInvalid:
        if len(values) == 1:
            yield values[0].as_py()
            return
        half = len(values) // 2
        yield from _refused(values[:half], column)
        yield from _refused(values[half:], column)


def refuse(fault: object, what: str) -> None:
    """Complain in the way that Arrow does."""
    if fault:
        raise pa.ArrowInvalid(what)
