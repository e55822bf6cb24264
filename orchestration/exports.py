"""Rows as files that people open and edit: csv, JSON lines or parquet, told by the suffix."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError

SUFFIXES = (".csv", ".jsonl", ".parquet")
Rows = list[dict[str, Any]]


def write_rows(path: Path, rows: Rows, names: Sequence[str]) -> None:
    """Write rows of these columns.

    Raises:
        ConfigurationError: the suffix says nothing, or the file cannot be written.
    """
    _check(path)
    plain = [{name: _plain(row[name]) for name in names} for row in rows]
    try:
        if path.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            table = {name: [row[name] for row in plain] for name in names}
            pq.write_table(pa.table(table), path)
            return
        with path.open("w", newline="") as file:
            if path.suffix == ".jsonl":
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in plain)
                return
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(plain)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


def read_rows(path: Path) -> Rows:
    """The rows of a file that `write_rows` wrote and somebody may have edited.

    Raises:
        ConfigurationError: it cannot be read, or is no such file.
    """
    _check(path)
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            found: Rows = pq.read_table(path).to_pylist()
            return found
        with path.open(newline="") as file:
            if path.suffix == ".jsonl":
                return [json.loads(line) for line in file if line.strip()]
            csv.field_size_limit(2**31 - 1)
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"{path} cannot be read: {said}.") from error


def _check(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: give a file that ends in {', '.join(SUFFIXES)}.")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)
