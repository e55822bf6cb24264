"""What a table promises: columns, types, keys, ranges, formats, and what happens to what breaks it.

A contract is plain data, written once beside its source; decoding, checks and dlt's hints are made
of it. Every type but `boolean` is expected as a JSON string, so that a number is never rounded on
its way; where an API sends JSON numbers and objects, `shape.py` writes its rows anew before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

# json: any JSON value, kept as its text
Type = Literal["text", "whole", "decimal", "float", "boolean", "timestamp", "date", "json"]
# What becomes of a column that the contract does not know. evolve: raw gets it, as text; freeze:
# the load stops, also for a value of another JSON type; quarantine: rows with it are set aside.
Policy = Literal["evolve", "freeze", "quarantine"]
FEW = 5  # rows, of which a share says nothing: one bad store of six is no flood


@dataclass(frozen=True)
class Column:
    """One column. `minimum` and `maximum` are inclusive; decimals have `digits` = (all, after).

    `allowed` and `pattern` (a regular expression for the whole of it, in RE2's words) are for text.
    """

    name: str
    type: Type
    nullable: bool = False
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None
    digits: tuple[int, int] = (18, 2)
    zoned: bool = False  # a timestamp that comes with Z or an offset; raw has it in UTC
    until_now: bool = False  # a timestamp that may not lie in the future
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    pii: bool = False  # masked wherever a person is shown a row
    added: bool = False  # by an API that sent it unasked

    def expectation(self) -> str:
        """What the column expects, in words for an error message."""
        words = {
            "text": "a string without NUL",
            "whole": "a whole number in a string",
            "decimal": f"a number in a string with at most {self.digits[1]} decimals",
            "float": "a number in a string",
            "boolean": "true or false",
            "timestamp": f"a time such as 2018-09-01T08:15:00{'Z' if self.zoned else ''}",
            "date": "a day such as 2018-09-01",
            "json": "a string without NUL",
        }[self.type]
        words += f", at least {self.minimum}" if self.minimum is not None else ""
        words += f", at most {self.maximum}" if self.maximum is not None else ""
        words += ", not in the future" if self.until_now else ""
        words += f", one of {', '.join(self.allowed)}" if self.allowed else ""
        words += f", of the form {self.pattern}" if self.pattern else ""
        return words + (" or null" if self.nullable else "")

    def ceiling(self) -> int | Decimal | date | None:
        """The highest value allowed now. A day of grace: the API's clock is in another zone."""
        if not self.until_now:
            return self.maximum
        grace = datetime.now() + timedelta(days=1)
        return grace.date() if self.type == "date" else grace

    def arrow_type(self) -> "pa.DataType":
        """The type of the column in raw."""
        import pyarrow as pa

        return {
            "text": pa.string(),
            "whole": pa.int64(),
            "decimal": pa.decimal128(*self.digits),
            "float": pa.float64(),
            "boolean": pa.bool_(),
            "timestamp": pa.timestamp("us"),
            "date": pa.date32(),
            "json": pa.string(),
        }[self.type]

    def wire_type(self) -> "pa.DataType":
        """The type of the column in the JSON of the API."""
        import pyarrow as pa

        return pa.bool_() if self.type == "boolean" else pa.string()

    def hint(self) -> dict[str, Any]:
        """The column as dlt's schema wants it, so that an all-null column exists too."""
        types = {"whole": "bigint", "boolean": "bool", "float": "double", "json": "text"}
        hint: dict[str, Any] = {
            "name": self.name,
            "data_type": types.get(self.type, self.type),
            "nullable": self.nullable,
        }
        if self.type == "decimal":
            hint["precision"], hint["scale"] = self.digits
        if self.type == "timestamp":
            hint["timezone"] = False
        return hint


@dataclass(frozen=True)
class Limit:
    """How many broken rows of one load are too many: more than `rows`, or than `share` of all."""

    rows: int
    share: float

    def exceeded(self, broken: int, received: int) -> bool:
        """Whether it is too many."""
        return broken > self.rows or (broken > FEW and broken > self.share * received)

    def __str__(self) -> str:
        """The limit in words."""
        return f"{self.rows:,} rows or {self.share:.0%}"


@dataclass(frozen=True)
class Contract:
    """A table and the lists nested in its rows, each of which becomes a child table.

    Without a `key` a row is its own key: rows that are alike in all columns count as one.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    children: tuple[tuple[str, "Contract"], ...] = ()
    newest: str | None = None  # of two versions in one load, the one where this is greater counts
    unknown: Policy = "quarantine"
    warn: Limit = Limit(100, 0.01)
    stop: Limit = Limit(1_000, 0.05)

    def identity(self) -> tuple[str, ...]:
        """The columns that tell rows of raw apart."""
        return self.key or ("_dlt_id",)

    def nested(self) -> "Iterator[Contract]":
        """The contracts of all lists in it, those in other lists too."""
        for _, child in self.children:
            yield child
            yield from child.nested()

    def hints(self) -> list[dict[str, Any]]:
        """The columns as dlt's schema wants them; the key is a hint, no index is made of it."""
        return [
            {**column.hint(), **({"primary_key": True} if column.name in self.key else {})}
            for column in self.columns
        ]

    def wire_schema(self) -> "pa.Schema":
        """The Arrow schema that a page's JSON rows must have, nested lists included."""
        import pyarrow as pa

        nested = [(name, pa.list_(pa.struct(child.wire_schema()))) for name, child in self.children]
        return pa.schema([(column.name, column.wire_type()) for column in self.columns] + nested)

    def promises(self) -> dict[str, Any]:
        """The contract as plain data with its rules in words, to be kept and shown."""
        return {
            "table": self.table,
            "key": list(self.key),
            "columns": [
                {"name": each.name, "type": each.type, "expects": each.expectation(),
                 "pii": each.pii, "added": each.added}
                for each in self.columns
            ],
            "children": [child.table for child in self.nested()],
            "unknown": self.unknown,
            "warn": str(self.warn),
            "stop": str(self.stop),
        }  # fmt: skip
