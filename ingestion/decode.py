"""Turn a page of raw JSON rows into Arrow tables that keep their contract.

The quick way: it judges whole columns, and all of a page is good, or `sift.py` finds out what is
not. Arrow's JSON reader is strict, so an unknown column or a changed type cannot slip through.
"""

import io
import re
from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from ingestion.columns import refuse, typed
from ingestion.contract import Contract
from ingestion.pages import Page

# Keeps ("a", "bc") and ("ab", "c") apart, and null apart from "", when a row is hashed.
SEPARATOR, NULL = "\x1f", "\x00"
DIGEST = 10  # bytes; of ten million rows two have one hash once in 20,000 million loads
ROOT_LENGTH = 2 * DIGEST  # of a row's id, with which the ids of all that is nested in it begin
NULL_ROW = msgspec.Raw(b"null")
# a NUL in a text, which Postgres cannot store; not the harmless text that says backslash-u0000
NUL, WRITTEN_NUL = b"\\u0000", re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def decode(page: Page, contract: Contract) -> dict[str, pa.Table]:
    """The page's rows, table by table: the contract's own first, then those nested in it.

    Each table has `_dlt_id`, a hash of the row's content (nested lists included); a nested one
    also has `_dlt_parent_id` and `_dlt_list_idx`, as dlt gives its own child tables.

    Raises:
        pa.ArrowInvalid: a row breaks the contract; does not say which one.
    """
    return dict(_typed(read(page, contract), contract))


def read(page: Page, contract: Contract) -> pa.Table:
    """The rows as they came, in Arrow.

    Raises:
        pa.ArrowInvalid: a row has another shape than the contract wants.
    """
    if not page.rows:
        return contract.wire_schema().empty_table()
    refuse(NULL_ROW in page.rows, "a row is null")  # Arrow's reader dies of it
    lines = b"\n".join(page.rows)
    refuse(holds_nul(lines), "a text holds NUL")
    return pj.read_json(
        io.BytesIO(lines),
        pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        pj.ParseOptions(
            explicit_schema=contract.wire_schema(),
            newlines_in_values=True,
            unexpected_field_behavior="error",
        ),
    ).combine_chunks()


def holds_nul(json: bytes) -> bool:
    """Whether a text in the JSON holds what Postgres cannot store."""
    # the first search is all but free, the second is not, and the third takes its time
    return b"\\" in json and NUL in json and WRITTEN_NUL.search(json) is not None


def _typed(wire: pa.Table, contract: Contract) -> Iterator[tuple[str, pa.Table]]:
    ids = _row_ids(wire, contract)
    columns = {column.name: typed(wire[column.name], column) for column in contract.columns}
    yield contract.table, pa.table({**columns, "_dlt_id": ids})
    for name, child in contract.children:
        yield from _nested(nested_lists(wire, name), ids, child)


def nested_lists(wire: pa.Table, name: str) -> pa.ListArray:
    """The lists of one column.

    Raises:
        pa.ArrowInvalid: one is missing, or holds null.
    """
    lists = wire[name].combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    refuse(lists.null_count, f"{name}: a list is missing")
    refuse(lists.values.null_count, f"{name}: a row is null")
    return lists


def _nested(
    lists: pa.ListArray, parents: pa.Array, contract: Contract
) -> Iterator[tuple[str, pa.Table]]:
    parent = pc.list_parent_indices(lists)
    parent_ids = pc.take(parents, parent)
    position = np.arange(len(parent)) - lists.offsets.to_numpy()[parent.to_numpy()]
    index = pa.array(position, pa.int64())
    wire = pa.Table.from_struct_array(lists.values)
    columns = {column.name: typed(wire[column.name], column) for column in contract.columns}
    ids = pc.binary_join_element_wise(parent_ids, pc.cast(index, pa.string()), "-")
    extra = {"_dlt_parent_id": parent_ids, "_dlt_list_idx": index, "_dlt_id": ids}
    yield contract.table, pa.table({**columns, **extra})
    for name, child in contract.children:
        yield from _nested(nested_lists(wire, name), ids, child)


def _row_ids(wire: pa.Table, contract: Contract) -> pa.Array:
    rows = _contents(wire, contract).cast(pa.binary()).to_pylist()
    hashes = [blake2b(row, digest_size=DIGEST).hexdigest() for row in rows]
    return pa.array(hashes, pa.string())


def _contents(wire: pa.Table, contract: Contract) -> pa.Array:
    """All that each row holds as one string; a changed item makes another row of its parent."""
    parts = _parts(wire, contract)
    for name, child in contract.children:
        lists = nested_lists(wire, name)
        items = _contents(pa.Table.from_struct_array(lists.values), child)
        parts.append(pc.binary_join(pa.ListArray.from_arrays(lists.offsets, items), "\x1e"))
    return _joined(parts)


def _parts(wire: pa.Table, contract: Contract) -> list[pa.ChunkedArray]:
    """What a row's hash is made of. Where an added column is null, the row is what it was."""
    parts = [wire[column.name] for column in contract.columns if not column.added]
    added = [column.name for column in contract.columns if column.added]
    if added:
        last = parts[-1].cast(pa.string()).fill_null(NULL)
        news = [pc.binary_join_element_wise("\x1d", name, wire[name], "=") for name in added]
        parts[-1] = pc.binary_join_element_wise(
            last, *news, "", null_handling="replace", null_replacement=""
        )
    return parts


def _joined(parts: list[pa.ChunkedArray | pa.Array]) -> pa.Array:
    """The columns of each row as one string."""
    strings = [part.cast(pa.string()) for part in parts]
    rows = pc.binary_join_element_wise(
        *strings, SEPARATOR, null_handling="replace", null_replacement=NULL
    )
    return rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
