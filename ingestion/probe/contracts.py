"""The contract of a table, from a sample of its rows."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any

import pyarrow as pa

from ingestion.columns import typed
from ingestion.contract import Column, Contract
from ingestion.probe.kinds import Kind, kind_of
from ingestion.probe.names import LIKELY_ID, PART_OF_KEY, personal, singular
from ingestion.probe.shapes import Shape, normal, shape_of

SCALAR = (str, int, float, bool)
FEW = 20  # rows, of which to be all different says little
FEW_ROWS = 5  # of a whole table


@dataclass(frozen=True)
class Said:
    """What is said of a table beside its rows, by OpenAPI or the answer itself.

    `whole` is that the sample is the whole table.
    """

    types: dict[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    whole: bool = False


@dataclass
class Drawn:
    """A contract, the shape it was drawn from, and what to tell a person."""

    contract: Contract
    shape: Shape
    found: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


NOTHING = Said()


def draw(table: str, rows: list[dict[str, Any]], said: Said = NOTHING) -> Drawn:
    """The contract that all these rows keep, and that the next one is unlikely to break."""
    shape = shape_of(rows)
    drawn = Drawn(Contract(table, (), ()), shape)
    key, why, sure = find_key(table, shape, said)
    (drawn.found if sure else drawn.doubts).append(why)
    columns = tuple(
        _column(table, name, values, said, name in key) for name, values in shape.columns.items()
    )
    children = []
    for name, lists in shape.lists.items():
        child = _child(f"{table}__{name}", lists)
        if child is None:
            drawn.doubts.append(
                f"{name}: lists that were empty in all rows, or mixed; kept as JSON"
            )
            columns += (Column(name, "json", nullable=True),)
        else:
            children.append((name, child))
    drawn.doubts += shape.clashes
    drawn.doubts += [
        f"{name}: null in all {len(rows):,} rows seen; kept as it will come"
        for name, values in shape.columns.items() if all(value is None for value in values)
    ]  # fmt: skip
    drawn.contract = Contract(table, key, columns, tuple(children), unknown="evolve")
    return drawn


def _column(table: str, name: str, values: list[Any], said: Said, is_key: bool) -> Column:
    never_null = is_key or (name in said.required and None not in values)
    made = partial(Column, name, nullable=not never_null, pii=personal(table, name))
    return _held(made, kind_of(name, values, said.types.get(name, "")), values)


def _held(made: Callable[..., Column], kind: Kind, values: list[Any]) -> Column:
    """The column of this kind, if the loader's own judge agrees; there is no 31st of April."""
    column = made(type=kind.type, digits=kind.digits, zoned=kind.zoned)
    if kind.type in ("text", "json", "boolean"):
        return column
    texts = [str(value) for value in values if value is not None]
    try:
        typed(pa.chunked_array([pa.array(texts, pa.string())]), column)
    except pa.ArrowInvalid:
        all_text = all(type(value) is str for value in values if value is not None)
        return made(type="text" if all_text else "json")
    return column


def _child(table: str, lists: list[list[Any] | None]) -> Contract | None:
    """The contract of what lies in a list; None where that cannot be said."""
    items = [item for items in lists for item in items or ()]
    if not items:
        return None
    if all(isinstance(item, dict) for item in items):
        # one row of it proves nothing about all: a list's items are known by parent and place
        drawn = draw(table, items).contract
        return replace(
            drawn, key=(), columns=tuple(replace(each, nullable=True) for each in drawn.columns)
        )
    if all(isinstance(item, SCALAR) for item in items):
        kind = kind_of("value", items)
        column = _held(partial(Column, "value", nullable=True), kind, items)
        return Contract(table, (), (column,), unknown="evolve")
    return None


def find_key(table: str, shape: Shape, said: Said = NOTHING) -> tuple[tuple[str, ...], str, bool]:
    """The columns that name a row, why they are thought to, and whether that is sure enough.

    Only what looks like an id counts: a price may be unique in any sample.
    """
    columns = {
        name: values for name, values in shape.columns.items()
        if not any(value is None or isinstance(value, dict | list) for value in values)
    }  # fmt: skip
    if said.key and columns.keys() >= set(said.key):
        return said.key, f"key {', '.join(said.key)}: declared there", True
    for name in sorted(filter(LIKELY_ID.match, columns), key=lambda name: _rank(table, name)):
        if len(set(columns[name])) == shape.rows:
            why = f"key {name}: never null, and unique in {shape.rows:,} rows"
            return (name,), why, shape.rows >= FEW or _rank(table, name) == 0
    first = next(iter(shape.columns), "")
    if said.whole and shape.rows >= FEW_ROWS and len(set(columns.get(first, ()))) == shape.rows:
        return (first,), f"key {first}: the first column, unique in all {shape.rows:,} rows", False
    parts = list(filter(PART_OF_KEY.match, columns))
    for pair in combinations(parts, 2):
        if (
            shape.rows
            and len(set(zip(*(columns[name] for name in pair), strict=True))) == shape.rows
        ):
            why = (
                f"key {' and '.join(pair)}: never null, and unique together in {shape.rows:,} rows"
            )
            return pair, f"{why}; look whether they are meant to be", False
    doubled = _doubled(shape)
    return (), (
        "no key: no column that looks like an id, nor two together, is unique; a row is known by "
        "its whole content, so a changed row is one that went and one that came"
        + (f". {doubled:,} rows of the sample are exactly like another: raw holds each once"
           if doubled else "")
    ), False  # fmt: skip


def _rank(table: str, name: str) -> int:
    own = f"{normal(singular(table.rpartition('__')[2]))}_id"
    ranks = (("id", own, "_id", "uuid", "guid"), ("rowid", "key", "code", "sku", "slug"))
    return next((rank for rank, names in enumerate(ranks) if name in names), len(ranks))


def _doubled(shape: Shape) -> int:
    together = zip(*shape.columns.values(), strict=True) if shape.columns else ()
    return shape.rows - len({repr(row) for row in together}) if not shape.lists else 0
