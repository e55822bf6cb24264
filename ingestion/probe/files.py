"""Look at files: CSV, Parquet and JSON lines, on a disk or wherever fsspec goes."""

import json
import re
from collections.abc import Callable
from typing import Any

import fsspec
import polars as pl

from ingestion.errors import SourceFailed
from ingestion.probe.asking import Number
from ingestion.probe.contracts import Drawn, draw
from ingestion.probe.found import Found, Resource, Wish
from ingestion.probe.kinds import WHOLE
from ingestion.probe.names import ID
from ingestion.probe.shapes import normal

FORMATS = re.compile(r"\.(csv|parquet|jsonl|ndjson)(\.gz)?$")
NUMBERED = re.compile(r"[-_.]?\d[\d\-_.T]*$")  # orders_2024-01, orders-000
PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")
ALL_OF_IT = 200_000_000  # bytes of a table, up to which every row is looked at


def look_at_files(wish: Wish, tell: Callable[[str], None]) -> Found:
    """What the files hold; those whose names differ by a number are one table.

    Raises:
        SourceFailed: there are none, or one cannot be read.
    """
    base = wish.url.rstrip("/")
    patterns = wish.resources or _patterns(base)
    if FORMATS.search(base):
        base, _, name = base.rpartition("/")
        base, patterns = base or ".", (name,)
    found = Found("files", base, [])
    for pattern in patterns:
        tell(pattern)
        files = fsspec.open_files(f"{base}/{pattern}", "rb")
        if not files:
            raise SourceFailed(f"{base}/{pattern}: no such file.")
        drawn, rows, whole = _draw(_table(pattern), files, wish.sample)
        resource = Resource(drawn.contract, pattern, sampled=rows, total=rows if whole else None,
                            found=drawn.found, doubts=drawn.doubts)  # fmt: skip
        resource.found.append(f"{len(files)} files, read whole on each load")
        found.resources.append(resource)
    return found


def _patterns(base: str) -> tuple[str, ...]:
    """A pattern for each table of a folder."""
    files, path = fsspec.core.url_to_fs(base)
    try:
        names = sorted(each.rpartition("/")[2] for each in files.ls(path, detail=False))
    except OSError as error:
        raise SourceFailed(f"{base}: {type(error).__name__}: check --url.") from None
    names = [name for name in names if FORMATS.search(name)]
    if not names:
        raise SourceFailed(f"{base}: no .csv, .parquet or .jsonl files there.")
    found: dict[str, list[str]] = {}
    for name in names:
        end = FORMATS.search(name)
        suffix = end.group() if end else ""
        found.setdefault(NUMBERED.sub("*", name.removesuffix(suffix)) + suffix, []).append(name)
    return tuple(name[0] if len(name) == 1 else pattern for pattern, name in found.items())


def _table(pattern: str) -> str:
    stem = FORMATS.sub("", pattern.rpartition("/")[2]).replace("*", "")
    return normal(NUMBERED.sub("", stem) or stem).strip("_") or "rows"


def _draw(table: str, files: list[Any], sample: int) -> tuple[Drawn, int, bool]:
    """The contract of all the rows, or of the first ones of each file where they are many."""
    size = sum(each.fs.size(each.path) or 0 for each in files)
    wanted = None if size <= ALL_OF_IT else -(-sample // len(files))
    rows: list[dict[str, Any]] = []
    for each in files:
        try:
            rows += _rows(each.path, each, wanted)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise SourceFailed(f"{each.path} cannot be read: {type(error).__name__}") from None
    return draw(table, rows), len(rows), wanted is None


def _rows(path: str, file: Any, wanted: int | None) -> list[dict[str, Any]]:
    """The rows as JSON has them: numbers exactly as they are written."""
    kind = FORMATS.search(path)
    with fsspec.open(file.fs.unstrip_protocol(path), "rb", compression="infer") as opened:
        if kind and kind[1] == "csv":
            frame = pl.read_csv(opened.read(), infer_schema=False, n_rows=wanted)
            bare = {column.name: _unquoted(column.name, column.to_list()) for column in frame}
            return [dict(zip(bare, row, strict=True)) for row in zip(*bare.values(), strict=True)]
        if kind and kind[1] == "parquet":
            frame = pl.read_parquet(opened, n_rows=wanted)
            lines = frame.write_ndjson().splitlines()
        else:
            lines = opened.read().decode().splitlines()[:wanted]
    return [json.loads(line, parse_float=Number) for line in lines if line.strip()]


def _unquoted(name: str, values: list[str | None]) -> list[Any]:
    """A column of a CSV file, whose numbers stand without quotes; what is an id in digits is text
    only where a zero leads.
    """
    present = [value for value in values if value is not None]
    if not present or not all(PLAIN_NUMBER.fullmatch(value) for value in present):
        return values
    whole = all(WHOLE.fullmatch(value) for value in present)
    if not whole and re.fullmatch(ID, name):
        return values
    make = int if whole else Number
    return [None if value is None else make(value) for value in values]
