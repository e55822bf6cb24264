"""The JSON of a row of raw, as the API sent it.

Raw keeps typed values and not the text they were read from; but the row's id is a hash of all its
values as they came. So the JSON is written anew, and where its hash is the row's id it is proven to
hold the same values; only spaces and the order of keys may have been others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
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

TRIES = 64  # of the ways in which the API may have written a row's numbers and times
NESTED = "select * from {} where _dlt_load_id = %s and _dlt_parent_id = %s order by _dlt_list_idx"


@dataclass(frozen=True)
class Payload:
    """The JSON of a row; `proven` when its hash says that these are the values that came."""

    json: str
    proven: bool


def rebuild(cursor: "cursor", schema: str, contract: Contract, row: Mapping[str, Any]) -> Payload:
    """The payload of a row of raw.

    Args:
        cursor: of a session that may read raw.
        schema: of raw.
        contract: of the row's table; no nested one.
        row: column to value, `_dlt_id` and `_dlt_load_id` among them.
    """
    contract = _extended(contract, row)
    nested: dict[str, list[Mapping[str, Any]]] = {}
    children = []
    for name, child in contract.children:
        nested[name] = _nested(cursor, schema, child, row)
        children.append((name, _extended(child, nested[name][0] if nested[name] else {})))
    contract = replace(contract, children=tuple(children))
    first = None
    for values in islice(_written(contract, row, nested), TRIES):
        text = msgspec.json.encode(values)
        first = first or text
        if _id_of(text, contract) == row["_dlt_id"]:
            return Payload(text.decode(), proven=True)
    return Payload((first or b"{}").decode(), proven=False)


def _nested(
    cursor: "cursor", schema: str, child: Contract, row: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    statement = sql.SQL(NESTED).format(sql.Identifier(schema, child.table))
    cursor.execute(statement, (row["_dlt_load_id"], row["_dlt_id"]))
    names = [column.name for column in cursor.description or ()]
    found = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    # an order sent twice in one load brings each of its items twice
    return list({each["_dlt_list_idx"]: each for each in found}.values())


def _extended(contract: Contract, row: Mapping[str, Any]) -> Contract:
    """The contract with the columns that the API has added to its table, in the order of a page."""
    known = {column.name for column in contract.columns}
    new = sorted(name for name in row.keys() - known if not name.startswith(("_dlt_", PAGE)))
    added = tuple(Column(name, "text", nullable=True, added=True) for name in new)
    return replace(contract, columns=contract.columns + added)


def _written(
    contract: Contract, row: Mapping[str, Any], nested: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """The row in each way in which the API may have written it, the likeliest first."""
    lists = {
        name: [next(_written(child, item, {})) for item in nested[name]]
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
        return list(dict.fromkeys((value.isoformat(), value.isoformat(timespec="milliseconds"))))
    return [str(value) if column.type == "whole" and value is not None else value]


def _id_of(text: bytes, contract: Contract) -> str | None:
    try:
        tables = decode(Page(contract.table, 1, "", [msgspec.Raw(text)]), contract)
    except pa.ArrowInvalid:  # a contract that has become narrower since
        return None
    found: str = tables[contract.table]["_dlt_id"][0].as_py()
    return found
