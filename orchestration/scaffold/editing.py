"""Add columns to files that people have edited: the rest stays as it is, comments included."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ADDED = "-- added"


def documents(models: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every YAML file of dbt's models, read."""
    for path in sorted(models.rglob("*.yml")):
        yield path, yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def with_columns(text: str, path: tuple[str, ...], columns: list[tuple[str, str, bool]]) -> str:
    """The YAML with these columns (name, description, personal) after the last own one.

    `path` leads to the entry whose `columns` they are, such as ("sources", "shop", "tables",
    "orders"): a key, then the name of an entry in its list.

    Raises:
        KeyError: there is no such entry, or it lists no columns.
    """
    entry = yaml.compose(text)
    for key, name in zip(path[::2], path[1::2], strict=True):
        entry = next(
            each for each in _value(entry, key).value if _value(each, "name").value == name
        )
    items = _value(entry, "columns").value
    own = [item for item in items if not _value(item, "name").value.startswith("_")] or items[:1]
    lines = text.splitlines()
    start = own[-1].start_mark
    dash = lines[start.line].index("-")
    end = start.line + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > dash):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    new = [
        f"{' ' * dash}- {{name: {name}, description: {json.dumps(words, ensure_ascii=False)}"
        f"{', config: {tags: [pii]}' if pii else ''}}}"
        for name, words, pii in columns
    ]
    return "\n".join([*lines[:end], *new, *lines[end:], ""])


def with_selected(sql: str, columns: list[str]) -> str | None:
    """The view with these columns before its `_dlt_load_id`; None where that is not to be found."""
    lines = sql.splitlines()
    places = [n for n, line in enumerate(lines) if re.fullmatch(r"\s*_dlt_load_id,?", line)]
    if not places:
        return None
    at = places[-1]
    indent = " " * _indent(lines[at])
    at -= lines[at - 1].strip().startswith("--")
    new = [f"{indent}{column}," for column in columns]
    if f"{indent}{ADDED}" in lines:
        while not lines[at - 1].strip():
            at -= 1
        return "\n".join([*lines[:at], *new, *lines[at:], ""])
    return "\n".join([*lines[:at], f"{indent}{ADDED}", *new, "", *lines[at:], ""])


def _value(node: Any, key: str) -> Any:
    for name, value in node.value:
        if name.value == key:
            return value
    raise KeyError(key)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
