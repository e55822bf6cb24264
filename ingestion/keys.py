"""The key of a row as one text, whatever its columns are: of good rows, and of what can be read."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.check import keeps
from ingestion.columns import typed
from ingestion.contract import Contract


def keys_of(table: pa.Table, contract: Contract) -> pa.Array:
    """The keys of good rows as texts."""
    parts = [table[name].cast(pa.string()) for name in contract.identity()]
    return pc.binary_join_element_wise(*parts, "\x1f").combine_chunks()


def key_of_stored(row: Mapping[str, Any], contract: Contract) -> str:
    """The key of a row of raw as the same text."""
    types = {column.name: column.arrow_type() for column in contract.columns}
    names = contract.identity()
    stored = pa.table({name: pa.array([row[name]], types.get(name)) for name in names})
    key: str = keys_of(stored, contract)[0].as_py()
    return key


def key_of(raw: msgspec.Raw, contract: Contract) -> str | None:
    """The key of a row as the same text, as far as it can be read."""
    if not contract.key:
        return None
    try:
        row = msgspec.json.decode(raw)
        columns = [next(c for c in contract.columns if c.name == name) for name in contract.key]
        if not all(keeps(column, row[column.name]) for column in columns):
            return None
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    if all(column.type == "text" for column in columns):
        return "\x1f".join(row[column.name] for column in columns)
    wire = [pa.chunked_array([pa.array([row[c.name]], c.wire_type())]) for c in columns]
    found = [typed(values, column) for values, column in zip(wire, columns, strict=True)]
    key: str = keys_of(pa.table(found, list(contract.key)), contract)[0].as_py()
    return key
