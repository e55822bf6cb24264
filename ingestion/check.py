"""Say which rows of a page break their contract, and how: the slow, exact way.

Called for pages that the column-wise check of `decode.py` refused, never for good ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from ingestion.contract import Column, Contract
from ingestion.errors import RowsRejected
from ingestion.pages import Page

LONGEST = 40  # characters of a value
SHOWN = 3  # broken rows named in the sentence; all are counted


@dataclass(frozen=True)
class Breach:
    """One broken rule. `row` counts from 1 within the page; `value` is as the API sent it."""

    row: int
    path: str
    rule: str
    value: Any

    def __str__(self) -> str:
        """The breach in words; a long value is cut."""
        shown = "" if self.value is msgspec.UNSET else f", got {_short(self.value)}"
        return f"row {self.row}, {self.path}: {self.rule}{shown}"


def reject(page: Page, contract: Contract, complaint: str) -> NoReturn:
    """Stop on a page that broke its contract.

    Args:
        page: the page that the column-wise check refused.
        contract: what it should have kept.
        complaint: the column-wise check's words, used when no single row can be named.

    Raises:
        RowsRejected: always.
    """
    breaches = list(find_breaches(page, contract))
    broken = len({breach.row for breach in breaches})
    said = "; ".join(map(str, breaches[:SHOWN])) or complaint
    more = f" (and {len(breaches) - SHOWN} more)" if len(breaches) > SHOWN else ""
    count = f"{broken} of {len(page.rows)} rows" if broken else "a row"
    raise RowsRejected(
        f"{page.resource}, page {page.number} ({page.url}): {count} broke the contract: "
        f"{said}{more}. Nothing of this load is visible; mend the API, or the contract beside "
        "the source, and run again."
    )


def find_breaches(page: Page, contract: Contract) -> Iterator[Breach]:
    """Every broken rule of every row of a page."""
    for number, raw in enumerate(page.rows, start=1):
        row = msgspec.json.decode(raw)
        if not isinstance(row, dict):
            yield Breach(number, "row", "expected an object", row)
            continue
        yield from _breaches(number, row, contract, "")


def _breaches(number: int, row: dict[str, Any], contract: Contract, at: str) -> Iterator[Breach]:
    known = {column.name for column in contract.columns} | {name for name, _ in contract.children}
    for name in row.keys() - known:
        yield Breach(number, f"column {at}{name}", "the contract does not know it", row[name])
    for column in contract.columns:
        value = row.get(column.name, msgspec.UNSET)
        if not keeps(column, value):
            rule = f"expected {column.expectation()}"
            missing = ", but the key is missing" if value is msgspec.UNSET else ""
            yield Breach(number, f"column {at}{column.name}", rule + missing, value)
    for name, child in contract.children:
        items = row.get(name, msgspec.UNSET)
        if not isinstance(items, list):
            yield Breach(number, f"column {at}{name}", "expected a list", items)
            continue
        for position, item in enumerate(items):
            inside = f"{at}{name}[{position}]"
            if isinstance(item, dict):
                yield from _breaches(number, item, child, f"{inside}.")
            else:
                yield Breach(number, inside, "expected an object", item)


def keeps(column: Column, value: Any) -> bool:
    """Whether one value of the API's JSON keeps the rules of its column."""
    if value is None or value is msgspec.UNSET:
        return column.nullable
    if column.type == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    try:
        typed = _parse(column, value)
    except (ValueError, InvalidOperation):
        return False
    lowest, highest = column.minimum, column.ceiling()
    return not (
        (lowest is not None and typed < lowest) or (highest is not None and typed > highest)
    )


def _parse(column: Column, text: str) -> Any:
    if column.type == "whole":
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            raise ValueError(text)
        return int(text)
    if column.type == "decimal":
        number = Decimal(text)
        whole, after = column.digits[0] - column.digits[1], column.digits[1]
        if not number.is_finite() or number != round(number, after) or abs(number) >= 10**whole:
            raise ValueError(text)
        return number
    if column.type == "timestamp":
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            raise ValueError(text)
        return when
    return text


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
