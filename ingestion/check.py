"""Say which rule a row breaks: the slow, exact way, for the few rows that `sift.py` suspects."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa

from ingestion.columns import typed
from ingestion.contract import Column, Contract
from ingestion.pages import Page

Kind = Literal["unknown", "changed", "value"]
TEXTS = ("text", "json")
LONGEST = 40  # characters of a value


@dataclass(frozen=True)
class Breach:
    """One broken rule. `row` counts from 1 within the page; `value` is as the API sent it.

    `kind` tells an unknown column, and one of another JSON type than promised, from a bad value.
    """

    row: int
    path: str
    rule: str
    value: Any
    kind: Kind = "value"

    def __str__(self) -> str:
        """The breach in words; a long value is cut."""
        shown = "" if self.value is msgspec.UNSET else f", got {_short(self.value)}"
        return f"row {self.row}, {self.path}: {self.rule}{shown}"


def find_breaches(page: Page, contract: Contract) -> Iterator[Breach]:
    """Every broken rule of every row of a page."""
    for number, raw in enumerate(page.rows, start=1):
        yield from breaches_of(number, raw, contract)


def breaches_of(number: int, raw: msgspec.Raw, contract: Contract) -> Iterator[Breach]:
    """Every broken rule of one row, those of its shape first."""
    try:
        row = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        yield Breach(number, "row", f"its JSON is broken ({error})", msgspec.UNSET)
        return
    if not isinstance(row, dict):
        yield Breach(number, "row", "expected an object", row)
        return
    yield from _breaches(number, row, contract, "")


def _breaches(number: int, row: dict[str, Any], contract: Contract, at: str) -> Iterator[Breach]:
    known = {column.name for column in contract.columns} | {name for name, _ in contract.children}
    for name in sorted(row.keys() - known):
        rule = "the contract does not know it"
        yield Breach(number, f"column {at}{name}", rule, row[name], "unknown")
    values = [(column, row.get(column.name, msgspec.UNSET)) for column in contract.columns]
    shapely = [column.name for column, value in values if _has_shape(column, value)]
    for column, value in values:  # what is seen at once comes first
        if column.name not in shapely:
            yield breach_of(number, column, at, value)
    for name, child in contract.children:
        items = row.get(name, msgspec.UNSET)
        if not isinstance(items, list):
            kind: Kind = "value" if items is msgspec.UNSET else "changed"
            yield Breach(number, f"column {at}{name}", "expected a list", items, kind)
            continue
        for position, item in enumerate(items):
            inside = f"{at}{name}[{position}]"
            if isinstance(item, dict):
                yield from _breaches(number, item, child, f"{inside}.")
            else:
                yield Breach(number, inside, "expected an object", item, "changed")
    for column, value in values:
        if column.name in shapely and not keeps(column, value):
            yield breach_of(number, column, at, value)


def breach_of(number: int, column: Column, at: str, value: Any) -> Breach:
    """The breach of a value that its column does not want."""
    rule = f"expected {column.expectation()}"
    missing = ", but the key is missing" if value is msgspec.UNSET else ""
    absent = value is None or value is msgspec.UNSET
    kind: Kind = "value" if absent or isinstance(value, _wanted(column)) else "changed"
    return Breach(number, f"column {at}{column.name}", rule + missing, value, kind)


def keeps(column: Column, value: Any) -> bool:
    """Whether one value of the API's JSON keeps the rules of its column."""
    if value is None or value is msgspec.UNSET or not _has_shape(column, value):
        return _has_shape(column, value)
    if column.type in TEXTS and "\x00" in value:
        return False
    if column.type in TEXTS and not (column.allowed or column.pattern):
        return True
    try:
        typed(pa.chunked_array([pa.array([value], column.wire_type())]), column)
    except pa.ArrowInvalid:
        return False
    return True


def _has_shape(column: Column, value: Any) -> bool:
    absent = value is None or value is msgspec.UNSET
    return column.nullable if absent else isinstance(value, _wanted(column))


def _wanted(column: Column) -> type:
    return bool if column.type == "boolean" else str


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
