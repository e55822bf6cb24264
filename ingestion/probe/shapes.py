"""The columns and lists that rows of JSON spread into, as the engine will spread them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingestion.declared.shape import column_name

MOST_KEYS = 100  # of an object; one with more is a map, whose keys are data


@dataclass
class Shape:
    """Rows as columns: a list of values for each column, and for each list what is in it."""

    rows: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    lists: dict[str, list[list[Any] | None]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # column -> the key of a row's own JSON
    clashes: list[str] = field(default_factory=list)


def normal(key: str) -> str:
    """The name that raw gives to what the API calls so."""
    return column_name((key,))


def shape_of(rows: list[dict[str, Any]]) -> Shape:
    """Spread rows: objects into columns named `outer__inner`, lists apart."""
    shape = Shape(len(rows))
    for key in _keys(rows):
        for path, values in _spread((key,), [row.get(key) for row in rows]):
            name = column_name(path)
            if name in shape.columns or name in shape.lists:
                where = ".".join(path)
                shape.clashes.append(f"{where} would be the column {name}, which there is already")
                continue
            if len(path) == 1:
                shape.keys[name] = key
            present = [value for value in values if value is not None]
            of_lists = bool(present) and all(isinstance(value, list) for value in present)
            (shape.lists if of_lists else shape.columns)[name] = values
    return shape


def _spread(
    path: tuple[str, ...], values: list[Any]
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    present = [value for value in values if value is not None]
    keys = _keys(present) if all(isinstance(value, dict) for value in present) else []
    if not keys or len(keys) > MOST_KEYS:
        yield path, values
        return
    for key in keys:
        inner = [value.get(key) if value is not None else None for value in values]
        yield from _spread((*path, key), inner)


def _keys(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))
