"""Say what moved between two recordings of one API: fields, their kinds, paging. Not the rows."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
Shape = dict[str, set[str]]  # a field, such as $[].items[].sku, to the kinds of its values
Answers = Iterable[tuple[str, dict[str, Any]]]


def moved(before: Answers, now: Answers) -> list[str]:
    """A sentence for everything that is another way now; none when nothing moved."""
    old, new = shapes(before), shapes(now)
    return [sentence for path in sorted(old.keys() | new.keys())
            for sentence in _moved(path, old.get(path), new.get(path))]  # fmt: skip


def shapes(answers: Answers) -> dict[str, Shape]:
    """What each path answers with: its fields, and under `paging` how it leads on."""
    found: dict[str, Shape] = {}
    for path, response in answers:
        shape = found.setdefault(path, {})
        shape.setdefault("status", set()).add(str(response["status"]["code"]))
        links = {name.lower() for name in response["headers"]} & {"link"}
        shape.setdefault("paging", set()).update(links)
        try:
            body = json.loads(response["body"]["string"])
        except (ValueError, TypeError):
            shape.setdefault("$", set()).add("no JSON")
            continue
        for field, kind in _fields(body, "$"):
            shape.setdefault(field, set()).add(kind)
    return found


def _fields(value: Any, at: str) -> Iterator[tuple[str, str]]:
    yield at, _kind(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _fields(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{at}[]")


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", dict: "an object",
             list: "a list", type(None): "null"}  # fmt: skip
    if not isinstance(value, str):
        return kinds[type(value)]
    if NUMBER.fullmatch(value):
        return "a number in a text"
    return "a time in a text" if MOMENT.fullmatch(value) else "a text"


def _moved(path: str, old: Shape | None, new: Shape | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"{path}: {'is asked now' if old is None else 'is not asked any more'}"
        return
    for field in sorted(old.keys() | new.keys()):
        before, now = old.get(field), new.get(field)
        if now is None:
            # where the parent is gone too, that is said of the parent; a list may be empty
            if _parent(field) in new and not field.endswith("[]"):
                yield f"{path}: {field} is gone (was {_words(before)})"
        elif before is None:
            if _parent(field) in old:
                yield f"{path}: {field} is new ({_words(now)})"
        elif before != now and not _only_fewer(before, now):
            yield f"{path}: {field} was {_words(before)}, is {_words(now)}"


def _only_fewer(before: set[str], now: set[str]) -> bool:
    """Whether there is only less variety than there was, as in other rows of the same API."""
    return bool(now) and now < before


def _parent(field: str) -> str:
    return field.removesuffix("[]") if field.endswith("[]") else field.rpartition(".")[0] or field


def _words(kinds: set[str] | None) -> str:
    return " or ".join(sorted(kinds or ())) or "absent"
