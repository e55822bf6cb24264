"""The JSON of a row of raw, as the API sent it.

Raw keeps typed values and not the text they were read from; but the row's id is a hash of all its
values as they came. So the JSON is written anew, and where its hash is the row's id it is proven to
hold the same values; only spaces and the order of keys may have been others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from psycopg2 import sql

from ingestion.contract import Column, Contract
from ingestion.decode import decode
from ingestion.pages import PAGE, Page

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Row = Mapping[str, Any]
TRIES = 64  # of the ways in which the API may have written a row's numbers and times
NESTED = "select * from {} where _dlt_load_id = %s and _dlt_parent_id = %s order by _dlt_list_idx"


@dataclass(frozen=True)
class Payload:
    """The JSON of a row; `proven` when its hash says that these are the values that came."""

    json: str
    proven: bool


def rebuild(cursor: "cursor", schema: str, contract: Contract, row: Row) -> Payload:
    """The payload of a row of raw.

    Args:
        cursor: of a session that may read raw.
        schema: of raw.
        contract: of the row's table; no nested one.
        row: column to value, `_dlt_id` and `_dlt_load_id` among them.
    """
    whole = _with_lists(cursor, schema, contract, row)
    first = None
    for values in islice(_written(*whole), TRIES):
        text = msgspec.json.encode(values)
        first = first or text
        if _id_of(text, whole[0]) == row["_dlt_id"]:
            return Payload(text.decode(), proven=True)
    return Payload((first or b"{}").decode(), proven=False)


def _with_lists(
    cursor: "cursor", schema: str, contract: Contract, row: Row
) -> tuple[Contract, Row]:
    """The row with what is nested in it, however deep, and the contract of all of that."""
    contract, children, lists = _extended(contract, row), [], dict[str, list[Row]]()
    for name, child in contract.children:
        found = _nested(cursor, schema, child, row)
        items = [_with_lists(cursor, schema, child, item) for item in found]
        children.append((name, items[0][0] if items else child))
        lists[name] = [item for _, item in items]
    return replace(contract, children=tuple(children)), {**row, **lists}


def _nested(cursor: "cursor", schema: str, child: Contract, row: Row) -> list[Row]:
    statement = sql.SQL(NESTED).format(sql.Identifier(schema, child.table))
    cursor.execute(statement, (row["_dlt_load_id"], row["_dlt_id"]))
    names = [column.name for column in cursor.description or ()]
    found = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    # an order sent twice in one load brings each of its items twice
    return list({each["_dlt_list_idx"]: each for each in found}.values())


def _extended(contract: Contract, row: Row) -> Contract:
    """The contract with the columns that the API has added to its table, in the order of a page."""
    known = {column.name for column in contract.columns}
    new = sorted(name for name in row.keys() - known if not name.startswith(("_dlt_", PAGE)))
    added = tuple(Column(name, "text", nullable=True, added=True) for name in new)
    return replace(contract, columns=contract.columns + added)


def _written(contract: Contract, row: Row) -> Iterator[dict[str, Any]]:
    """The row in each way in which the API may have written it, the likeliest first."""
    lists = {
        name: [next(_written(child, item)) for item in row[name]]
        for name, child in contract.children
    }
    columns = [column for column in contract.columns
               if not (column.added and row[column.name] is None)]  # fmt: skip
    for values in product(*(_ways(row[column.name], column) for column in columns)):
        yield dict(zip((c.name for c in columns), values, strict=True)) | lists


def _ways(value: Any, column: Column) -> list[Any]:
    if isinstance(value, Decimal):
        shortest = f"{value.normalize():f}"
        return list(dict.fromkeys((shortest, f"{value:f}", f"{Decimal(shortest):.2f}")))
    if isinstance(value, datetime):
        zone = "Z" if column.zoned else ""
        ways = (value.isoformat(), value.isoformat(timespec="milliseconds"))
        return list(dict.fromkeys(f"{way}{zone}" for way in ways))
    if isinstance(value, date):
        return [value.isoformat()]
    if isinstance(value, float):
        return list(dict.fromkeys((repr(value), f"{value:g}")))
    return [str(value) if column.type == "whole" and value is not None else value]


def _id_of(text: bytes, contract: Contract) -> str | None:
    try:
        tables = decode(Page(contract.table, 1, "", [msgspec.Raw(text)]), contract)
    except pa.ArrowInvalid:  # a contract that has become narrower since
        return None
    found: str = tables[contract.table]["_dlt_id"][0].as_py()
    return found
