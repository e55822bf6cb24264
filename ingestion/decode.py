"""Turn a page of raw JSON rows into Arrow tables that keep their contract.

The quick way judges whole columns; only when it finds a fault does `check.py` walk the rows one
by one to say which row and which rule. Arrow's JSON reader is strict, so an unknown column or a
changed type cannot slip through.
"""

import io
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from ingestion.check import reject
from ingestion.contract import Column, Contract
from ingestion.pages import Page

# Keeps ("a", "bc") and ("ab", "c") apart, and null apart from "", when a row is hashed.
SEPARATOR, NULL = "\x1f", "\x00"


def decode(page: Page, contract: Contract) -> dict[str, pa.Table]:
    """The page's rows, table by table: the contract's own first, then those nested in it.

    Each table has `_dlt_id`, a hash of the row's content (nested lists included); a nested one
    also has `_dlt_parent_id` and `_dlt_list_idx`, as dlt gives its own child tables.

    Raises:
        RowsRejected: a row breaks the contract; says which one and how.
    """
    try:
        wire = _read(page, contract)
        tables = dict(_typed(wire, contract))
    except pa.ArrowInvalid as error:
        reject(page, contract, str(error))
    return tables


def _read(page: Page, contract: Contract) -> pa.Table:
    if not page.rows:
        return contract.wire_schema().empty_table()
    lines = b"\n".join(page.rows)
    return pj.read_json(
        io.BytesIO(lines),
        pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        pj.ParseOptions(
            explicit_schema=contract.wire_schema(),
            newlines_in_values=True,
            unexpected_field_behavior="error",
        ),
    ).combine_chunks()


def _typed(wire: pa.Table, contract: Contract) -> Iterator[tuple[str, pa.Table]]:
    lists = {name: _lists(wire, name) for name, _ in contract.children}
    ids = _row_ids(wire, contract, lists)
    columns = {column.name: _column(wire, column) for column in contract.columns}
    yield contract.table, pa.table({**columns, "_dlt_id": ids})
    for name, child in contract.children:
        yield child.table, _nested(lists[name], ids, child)


def _lists(wire: pa.Table, name: str) -> pa.ListArray:
    lists = wire[name].combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    _refuse(lists.null_count, f"{name}: a list is missing")
    _refuse(lists.values.null_count, f"{name}: a row is null")
    return lists


def _nested(lists: pa.ListArray, parents: pa.Array, contract: Contract) -> pa.Table:
    parent = pc.list_parent_indices(lists)
    parent_ids = pc.take(parents, parent)
    position = np.arange(len(parent)) - lists.offsets.to_numpy()[parent.to_numpy()]
    index = pa.array(position, pa.int64())
    wire = pa.Table.from_struct_array(lists.values)
    columns = {column.name: _column(wire, column) for column in contract.columns}
    ids = pc.binary_join_element_wise(parent_ids, pc.cast(index, pa.string()), "-")
    extra = {"_dlt_parent_id": parent_ids, "_dlt_list_idx": index, "_dlt_id": ids}
    return pa.table({**columns, **extra})


def _column(wire: pa.Table, column: Column) -> pa.ChunkedArray:
    """One column in its type of raw.

    Raises:
        pa.ArrowInvalid: a value is missing, does not parse, or is out of range.
    """
    values = wire[column.name]
    if not column.nullable:
        _refuse(values.null_count, f"{column.name}: {values.null_count} values missing")
    typed = values.cast(column.arrow_type())
    if column.type == "whole":
        # Arrow reads "0x10" too; the API never writes a number like that
        _refuse(pc.any(pc.starts_with(values, "0x")).as_py(), f"{column.name}: not decimal")
    lowest, highest = column.minimum, column.ceiling()
    if lowest is not None and len(typed):
        _refuse(pc.any(pc.less(typed, lowest)).as_py(), f"{column.name} below {lowest}")
    if highest is not None and len(typed):
        _refuse(pc.any(pc.greater(typed, highest)).as_py(), f"{column.name} above {highest}")
    return typed


def _refuse(fault: object, what: str) -> None:
    if fault:
        raise pa.ArrowInvalid(what)


def _row_ids(wire: pa.Table, contract: Contract, lists: dict[str, pa.ListArray]) -> pa.Array:
    parts = [wire[column.name] for column in contract.columns]
    for name, child in contract.children:  # a changed item makes another row of its parent
        items = pa.Table.from_struct_array(lists[name].values)
        joined = _joined([items[column.name] for column in child.columns])
        parts.append(pc.binary_join(pa.ListArray.from_arrays(lists[name].offsets, joined), "\x1e"))
    # 80 bits: ten million rows hold two equal hashes once in 20,000 million loads
    rows = _joined(parts).cast(pa.binary()).to_pylist()
    hashes = [blake2b(row, digest_size=10).hexdigest() for row in rows]
    return pa.array(hashes, pa.string())


def _joined(parts: list[pa.ChunkedArray | pa.Array]) -> pa.Array:
    """The columns of each row as one string."""
    strings = [part.cast(pa.string()) for part in parts]
    rows = pc.binary_join_element_wise(
        *strings, SEPARATOR, null_handling="replace", null_replacement=NULL
    )
    return rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
