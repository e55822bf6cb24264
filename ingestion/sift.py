"""Part the good rows of a page from the broken ones.

A page that keeps its contract is decoded at once, and costs nothing here. In one that does not,
rows of another shape are found by a decoder that wants the contract's types, and values by column;
both only point at rows, and what `decode` says of the rest is the last word.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.check import Breach, breach_of, breaches_of
from ingestion.columns import refused
from ingestion.contract import Column, Contract
from ingestion.decode import decode, holds_nul, nested_lists, read
from ingestion.pages import Page

# What dlt leaves as it is; under another name a column could take the place of one that is there.
PLAIN = re.compile(r"(?!_)(?!.*__)[a-z][a-z0-9_]{0,62}(?<!_)")


@dataclass(frozen=True)
class Sifted:
    """A page in two parts. `contract` has the columns that the API has added, if that is allowed.

    `breaches` are in the order of their rows, the first one of each broken row.
    """

    contract: Contract
    tables: dict[str, pa.Table]
    breaches: list[Breach]


def sift(page: Page, contract: Contract) -> Sifted:
    """Decode the rows that keep the contract and say why the others do not."""
    try:
        return Sifted(contract, decode(page, contract), [])
    except pa.ArrowInvalid:
        pass
    if contract.unknown == "evolve":
        page, contract = _evolved(page, contract)
    broken = _misshapen(page, contract)
    broken |= _unwanted(page, contract, _others(page, broken))
    tables = _decoded(page, contract, broken)
    return Sifted(contract, tables, [broken[place] for place in sorted(broken)])


def _others(page: Page, broken: Iterable[int]) -> list[int]:
    """The places of the rows that nothing was found against, from 0."""
    return sorted(set(range(len(page.rows))).difference(broken))


def _some(page: Page, places: list[int]) -> Page:
    return replace(page, rows=[page.rows[place] for place in places])


def _decoded(page: Page, contract: Contract, broken: dict[int, Breach]) -> dict[str, pa.Table]:
    """The tables of all other rows; finds what else is refused, for a reason of Arrow's own."""
    places = _others(page, broken)
    try:
        return decode(_some(page, places), contract)
    except pa.ArrowInvalid:
        for place, complaint in _refused(page, places, lambda part: decode(part, contract)):
            raw = page.rows[place]
            found = next(breaches_of(place + 1, raw, contract), None)
            broken[place] = found or Breach(place + 1, "row", complaint, msgspec.UNSET)
        return decode(_some(page, _others(page, broken)), contract)


def _refused(
    page: Page, places: list[int], judge: Callable[[Page], Any]
) -> Iterator[tuple[int, str]]:
    """The rows that are refused when they stand alone, found by halving."""
    try:
        judge(_some(page, places))
    except pa.ArrowInvalid as error:
        if len(places) == 1:
            yield places[0], str(error)
            return
        half = len(places) // 2
        yield from _refused(page, places[:half], judge)
        yield from _refused(page, places[half:], judge)


def _misshapen(page: Page, contract: Contract) -> dict[int, Breach]:
    """Rows that are no object of the contract's columns in their JSON types."""
    shape, broken = _shape(contract), {}
    any_nul = holds_nul(b"\n".join(page.rows))
    for place, raw in enumerate(page.rows):
        try:
            shape.decode(raw)
            suspect = any_nul and holds_nul(bytes(raw))
        except msgspec.DecodeError:
            suspect = True
        if suspect and (found := next(breaches_of(place + 1, raw, contract), None)):
            broken[place] = found
    return broken


@lru_cache
def _shape(contract: Contract) -> msgspec.json.Decoder[Any]:
    def struct(part: Contract) -> Any:
        kinds: dict[str, Any] = {}
        for column in part.columns:
            kind: Any = bool if column.type == "boolean" else str
            kinds[column.name] = kind | None if column.nullable else kind
        kinds |= {name: list[struct(child)] for name, child in part.children}  # type: ignore[misc]
        # renamed, because a column may be called what no field may
        names = {f"f{place}": name for place, name in enumerate(kinds)}
        fields = list(zip(names, kinds.values(), strict=True))
        return msgspec.defstruct(part.table, fields, rename=names, forbid_unknown_fields=True)

    return msgspec.json.Decoder(struct(contract))


def _unwanted(page: Page, contract: Contract, places: list[int]) -> dict[int, Breach]:
    """Rows with a value that its column does not want."""
    broken: dict[int, Breach] = {}

    def judge(
        items: pa.Table, part: Contract, rows: np.ndarray[Any, Any], inside: Callable[[int], str]
    ) -> None:
        for column in part.columns:
            for at in _places(items[column.name], column):
                row, value = int(rows[at]), items[column.name][at].as_py()
                broken.setdefault(row, breach_of(row + 1, column, inside(at), value))
        for name, child in part.children:
            lists = nested_lists(items, name)
            parents = pc.list_parent_indices(lists).to_numpy()
            place = np.arange(len(parents)) - lists.offsets.to_numpy()[parents]
            within = partial(_inside, inside, name, parents, place)
            judge(pa.Table.from_struct_array(lists.values), child, rows[parents], within)

    # rows that only Arrow does not like are found one by one
    with suppress(pa.ArrowInvalid):
        judge(read(_some(page, places), contract), contract, np.array(places, int), lambda at: "")
    return broken


def _inside(inside: Callable[[int], str], name: str, parents: Any, place: Any, at: int) -> str:
    """Where an item stands, such as `items[2].`."""
    return f"{inside(parents[at])}{name}[{place[at]}]."


def _places(values: pa.ChunkedArray, column: Column) -> list[int]:
    found: list[int] = np.flatnonzero(refused(values, column).to_numpy()).tolist()
    return found


def _evolved(page: Page, contract: Contract) -> tuple[Page, Contract]:
    """The page and its contract with the columns that it does not know, as texts."""
    added: dict[str, set[str]] = {}

    def adopt(row: Any, part: Contract) -> bool:
        if not isinstance(row, dict):
            return False
        children = dict(part.children)
        taken = children.keys() | {column.name for column in part.columns}
        new = {name for name in row.keys() - taken if PLAIN.fullmatch(name)}
        for name in new:
            value = row[name]
            texts = value is None or isinstance(value, str)
            row[name] = value if texts else msgspec.json.encode(value).decode()
        added.setdefault(part.table, set()).update(new)
        inside = [
            adopt(item, child)
            for name, child in part.children if isinstance(row.get(name), list)
            for item in row[name]
        ]  # fmt: skip
        return bool(new) or any(inside)

    rows = []
    for raw in page.rows:
        try:
            row = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            row = None
        rows.append(msgspec.Raw(msgspec.json.encode(row)) if adopt(row, contract) else raw)

    def extended(part: Contract) -> Contract:
        names = sorted(added.get(part.table, ()))
        news = tuple(Column(name, "text", nullable=True, added=True) for name in names)
        children = tuple((name, extended(child)) for name, child in part.children)
        return replace(part, columns=part.columns + news, children=children)

    return replace(page, rows=rows), extended(contract)
