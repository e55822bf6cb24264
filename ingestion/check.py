"""Say which rows of a page break their contract, and how: the slow, exact way.

Called for pages that the column-wise check of `decode.py` refused, never for good ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import pyarrow as pa

from ingestion.columns import typed
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
        try:
            row = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            yield Breach(number, "row", f"its JSON is broken ({error})", msgspec.UNSET)
            continue
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
    if not isinstance(value, bool if column.type == "boolean" else str):
        return False
    if column.type == "text":
        return "\x00" not in value
    try:
        typed(pa.chunked_array([pa.array([value], column.wire_type())]), column)
    except pa.ArrowInvalid:
        return False
    return True


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
