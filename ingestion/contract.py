"""What a table promises: its columns, types, keys and ranges. Drives decoding, checks and hints.

A contract is plain data, written once beside its source. JSON carries numbers and timestamps as
strings in the APIs we load, so every type but `boolean` is expected as a string.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Type = Literal["text", "whole", "decimal", "boolean", "timestamp"]


@dataclass(frozen=True)
class Column:
    """One column. `minimum` and `maximum` are inclusive; decimals have `digits` = (all, after)."""

    name: str
    type: Type
    nullable: bool = False
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None
    digits: tuple[int, int] = (18, 2)
    until_now: bool = False  # a timestamp that may not lie in the future

    def expectation(self) -> str:
        """What the column expects, in words for an error message."""
        words = {
            "text": "a string without NUL",
            "whole": "a whole number in a string",
            "decimal": f"a number in a string with at most {self.digits[1]} decimals",
            "boolean": "true or false",
            "timestamp": "a time such as 2018-09-01T08:15:00",
        }[self.type]
        words += f", at least {self.minimum}" if self.minimum is not None else ""
        words += f", at most {self.maximum}" if self.maximum is not None else ""
        words += ", not in the future" if self.until_now else ""
        return words + (" or null" if self.nullable else "")

    def ceiling(self) -> int | Decimal | datetime | None:
        """The highest value allowed now. A day of grace: the API's clock is in another zone."""
        return datetime.now() + timedelta(days=1) if self.until_now else self.maximum

    def arrow_type(self) -> "pa.DataType":
        """The type of the column in raw."""
        import pyarrow as pa

        return {
            "text": pa.string(),
            "whole": pa.int64(),
            "decimal": pa.decimal128(*self.digits),
            "boolean": pa.bool_(),
            "timestamp": pa.timestamp("us"),
        }[self.type]

    def wire_type(self) -> "pa.DataType":
        """The type of the column in the JSON of the API."""
        import pyarrow as pa

        return pa.bool_() if self.type == "boolean" else pa.string()

    def hint(self) -> dict[str, Any]:
        """The column as dlt's schema wants it, so that an all-null column exists too."""
        types = {"whole": "bigint", "boolean": "bool"}
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
class Contract:
    """A table and the lists nested in its rows, each of which becomes a child table."""

    table: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    children: tuple[tuple[str, "Contract"], ...] = ()

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
