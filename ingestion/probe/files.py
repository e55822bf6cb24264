"""Look at files: CSV, Parquet and JSON lines, on a disk or wherever fsspec goes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec

from ingestion.contract import Contract
from ingestion.declared.files import SUFFIXES, Files, file_pages
from ingestion.errors import SourceFailed
from ingestion.probe.asking import Number
from ingestion.probe.contracts import Said, draw
from ingestion.probe.found import Found, Resource, Wish
from ingestion.probe.kinds import WHOLE
from ingestion.probe.names import LIKELY_ID
from ingestion.probe.shapes import normal

FORMATS = re.compile(rf"\.({'|'.join(SUFFIXES)})(\.\w+)?$")
NUMBERED = re.compile(r"([-_.]?)\d[\d\-_.T]*$")  # orders_2024-01, orders-000
PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")
TRUTH = {"true", "false"}
ALL_OF_IT = 200_000_000  # bytes of a table, up to which every row is looked at


def look_at_files(wish: Wish, tell: Callable[[str], None]) -> Found:
    """What the files hold; those whose names differ by a number are one table.

    Raises:
        SourceFailed: there are none, or one cannot be read.
    """
    base, patterns = wish.url.rstrip("/"), wish.resources
    if FORMATS.search(base):
        base, _, name = base.rpartition("/")
        base, patterns = base or ".", (name,)
    if "://" not in base:
        base = str(Path(base).resolve())
    found = Found("files", base, [])
    for pattern in patterns or _patterns(base):
        tell(pattern)
        found.resources.append(_look_at(base, pattern, wish.sample))
    return found


def _patterns(base: str) -> tuple[str, ...]:
    """A pattern for each table of a folder."""
    try:
        files, path = fsspec.url_to_fs(base)
        names = sorted(each.rpartition("/")[2] for each in files.ls(path, detail=False))
    except (OSError, ImportError, ValueError) as error:
        raise SourceFailed(f"{base}: {type(error).__name__}: check --url.") from None
    found: dict[str, list[str]] = {}
    for name in names:
        if end := FORMATS.search(name):
            stem = NUMBERED.sub(r"\1[0-9]*", name.removesuffix(end.group()))
            found.setdefault(stem + end.group(), []).append(name)
    if not found:
        raise SourceFailed(f"{base}: no files there that end in {', '.join(SUFFIXES)}.")
    return tuple(names[0] if len(names) == 1 else pattern for pattern, names in found.items())


def _look_at(base: str, pattern: str, sample: int) -> Resource:
    stem = FORMATS.sub("", pattern.rpartition("/")[2]).replace("[0-9]*", "0").replace("*", "")
    table = normal(NUMBERED.sub("", stem) or stem).strip("_") or "rows"
    params: dict[str, Any] = {"delimiter": "\t"} if ".tsv" in pattern else {}
    files, path = fsspec.url_to_fs(f"{base}/{pattern}")
    size = sum(files.size(each) or 0 for each in files.glob(path))
    rows: list[dict[str, Any]] = []
    whole = True
    for page in file_pages(Files(Contract(table, (), ()), pattern, **params), base):
        rows += [json.loads(bytes(raw), parse_float=Number) for raw in page.rows]
        if size > ALL_OF_IT and len(rows) >= sample:
            whole = False
            break
    if rows and FORMATS.search(pattern)[1] in ("csv", "tsv"):  # type: ignore[index]
        rows = _unquoted(rows)
    drawn = draw(table, rows, Said(whole=whole))
    return Resource(
        drawn.contract, pattern, params=params, sampled=len(rows),
        total=len(rows) if whole else None,
        found=[*drawn.found, "all of it is read on each load"], doubts=drawn.doubts,
    )  # fmt: skip


def _unquoted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a CSV file with its numbers as numbers: there they stand without quotes."""
    columns = {name: _values(name, [row[name] for row in rows]) for name in rows[0]}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(name: str, values: list[str | None]) -> list[Any]:
    """A column of them; an id with a zero in front, or a fraction, is text."""
    present = [value for value in values if value is not None]
    if {value.lower() for value in present} == TRUTH:
        return [None if value is None else value.lower() == "true" for value in values]
    if not present or not all(map(PLAIN_NUMBER.fullmatch, present)):
        return list(values)
    whole = all(map(WHOLE.fullmatch, present))
    if not whole and LIKELY_ID.match(normal(name)):
        return list(values)
    make: Callable[[str], Any] = int if whole else Number
    return [None if value is None else make(value) for value in values]
