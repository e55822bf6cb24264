"""Write the JSON rows of any API in the shape that a contract expects: flat, numbers as strings.

The text of a number is kept as it came, so nothing is rounded. An object becomes columns
`parent__child`, a list the rows of a child table (values that are no objects as their column
`value`), names are made as dlt makes them. What has another type than promised is left as it is,
for the contract to refuse. Rows that are in shape already come out as they went in, because the
quarantine sends them through once more.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
from dlt.common.normalizers.naming.snake_case import NamingConvention

from ingestion.contract import Column, Contract
from ingestion.pages import PAGE, Page

VALUE = "value"  # the column of a list of values
NUMBERS = frozenset({"whole", "decimal", "float"})
OURS = re.compile(rf"_dlt_.*|{PAGE}")  # columns that raw has for itself
TWICE = " (from "  # stands in the name of a value whose name another one has: no contract knows it
LONGEST_WHOLE = 20  # digits

Written = bytes | msgspec.Raw  # JSON
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder(enc_hook=str).encode
_naming = NamingConvention(max_length=63)


def reshape(page: Page, contract: Contract) -> tuple[Page, Contract]:
    """The page in the contract's shape, and the contract with what it lets its rows bring along."""
    shape = _Shape(contract)
    rows = [shape.of_row(raw) for raw in page.rows]
    return replace(page, rows=rows), shape.extended()


def column_name(path: tuple[str, ...]) -> str:
    """What raw calls the value at this path of a row; the last name as it is, if it is none."""
    if TWICE in path[-1]:
        return path[-1]
    try:
        names = [_naming.normalize_path(name) for name in path]
    except ValueError:  # an empty one
        return path[-1]
    made: str = _naming.shorten_fragments(*names)
    return f"api{made}" if OURS.fullmatch(made) else made


class _Shape:
    """How the rows of one table, or the items of one list, are written."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.added: set[str] = set()  # columns that rows have brought along
        self.types = {column.name: column.type for column in contract.columns}
        self.lists = {name: _Shape(child) for name, child in contract.children}
        self.empty = [(_key(name), b"[]") for name in self.lists]
        known = (*self.types, *self.lists)
        self.parents = {name[: at.start()] for name in known for at in re.finditer("__", name)}
        self.evolves = contract.unknown == "evolve"

    def of_row(self, raw: msgspec.Raw) -> msgspec.Raw:
        """The row in its shape; what is no object is left as it is."""
        try:
            fields = _object.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return raw
        return msgspec.Raw(self.of_fields(fields))

    def of_fields(self, fields: dict[str, msgspec.Raw]) -> bytes:
        """The object of these fields as JSON."""
        made: dict[bytes, Written] = {}
        self._take(fields, (), made)
        for key, nothing in self.empty:
            made.setdefault(key, nothing)
        return b"{" + b"".join(chain.from_iterable(made.items()))[1:] + b"}"

    def extended(self) -> Contract:
        """The contract with the columns that rows have brought along."""
        contract = self.contract
        news = (Column(name, "text", nullable=True, added=True) for name in sorted(self.added))
        children = tuple((name, shape.extended()) for name, shape in self.lists.items())
        if not self.added and children == contract.children:
            return contract
        return replace(contract, columns=(*contract.columns, *news), children=children)

    def _take(
        self, fields: dict[str, msgspec.Raw], path: tuple[str, ...], made: dict[bytes, Written]
    ) -> None:
        for field, raw in fields.items():
            name, key = _column(path, field)
            type_ = self.types.get(name, "")
            value: Written | None = raw
            if type_ in NUMBERS:
                value = _number(bytes(raw), type_)
            elif type_ == "json":
                value = _text(bytes(raw))
            elif not type_:
                value = self._beside(name, bytes(raw), (*path, field), made)
            if value is not None:
                if key in made:
                    key = _key(f"{name}{TWICE}{'.'.join((*path, field))})")
                made[key] = value

    def _beside(
        self, name: str, value: bytes, path: tuple[str, ...], made: dict[bytes, Written]
    ) -> bytes | None:
        """What is no column of the contract: a list, an object, or something unasked."""
        if name in self.lists:
            return self._items(self.lists[name], value)
        if value[0] in b"{" and TWICE not in name:
            self._take(_object.decode(value), path, made)
            return None
        if value == b"null" and (self.evolves or name in self.parents):
            return None
        if not self.evolves or TWICE in name or not name:
            return value
        self.added.add(name)
        return _text(value)

    def _items(self, shape: "_Shape", value: bytes) -> bytes:
        """A list in the shape of its items."""
        if value == b"null":
            return b"[]"
        if value[0] not in b"[":
            return value
        wraps = VALUE in shape.types or VALUE in shape.lists
        items = []
        for raw in _list.decode(value):
            if bytes(raw)[0] in b"{" or not wraps:
                items.append(bytes(shape.of_row(raw)))
            else:
                items.append(shape.of_fields({VALUE: raw}))
        return b"[" + b",".join(items) + b"]"


def as_json(row: Mapping[str, Any]) -> msgspec.Raw:
    """A row of Python values: decimals and times to their last digit, bytes as base64, NaN null."""
    return msgspec.Raw(_encode(row))


@lru_cache(maxsize=10_000)
def _column(path: tuple[str, ...], field: str) -> tuple[str, bytes]:
    name = column_name((*path, field))
    return name, _key(name)


def _key(name: str) -> bytes:
    return b"," + msgspec.json.encode(name) + b":"


def _number(value: bytes, type_: str | None) -> bytes:
    """A number as a string; a whole one may be written as 5.0 or 1e5."""
    if value[0] not in b"-0123456789":
        return value
    if type_ == "whole" and not value.lstrip(b"-").isdigit():
        try:
            number = Decimal(value.decode())
        except InvalidOperation:
            return b'"' + value + b'"'
        if number.adjusted() < LONGEST_WHOLE and number == number.to_integral_value():
            value = str(int(number)).encode()
    return b'"' + value + b'"'


def _text(value: bytes) -> bytes:
    """A string or null as it is, anything else as a string of its JSON."""
    return value if value[0] in b'"n' else msgspec.json.encode(value.decode())
