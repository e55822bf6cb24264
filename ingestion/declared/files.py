"""Files of rows: CSV, Parquet and JSONL, local or at any URL of fsspec: a `Files` for each table.

Each file is a page, or several where it is long. In CSV all is text, and an empty field is null
where it is not quoted. With a cursor the rows are a log: all files are read, and what raw does not
hold is appended; without, they are a full snapshot.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Literal

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from dlt.sources import DltResource

from ingestion.contract import Contract
from ingestion.declared.cursor import Cursor, log_or_snapshot
from ingestion.declared.shape import as_json, column_name
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.intake import Intake
from ingestion.pages import Observer, Page, plain_url

ROWS = 10_000  # of a page
BLOCK = 1 << 22  # bytes of CSV that are read at once
TRUTH = {"true": True, "t": True, "yes": True, "1": True,
         "false": False, "f": False, "no": False, "0": False}  # fmt: skip
Format = Literal["csv", "parquet", "jsonl"]
SUFFIXES: dict[str, Format] = {"csv": "csv", "tsv": "csv", "parquet": "parquet", "jsonl": "jsonl",
                               "ndjson": "jsonl"}  # fmt: skip


@dataclass(frozen=True)
class Files:
    """Where the rows of one table are: `path` may be a glob such as `orders/*.csv.gz`.

    `format` is told by the suffix, unless it is given.
    """

    contract: Contract
    path: str
    format: Format | None = None
    delimiter: str = ","
    cursor: str | None = None


def file_resources(
    files: Sequence[Files], url: str, intake: Intake, storage: dict[str, Any] | None = None
) -> list[DltResource]:
    """The dlt resources of these files.

    Args:
        files: what to load.
        url: the folder, local or of fsspec (`s3://bucket/folder`); paths are relative to it.
        intake: of this load.
        storage: what fsspec needs to be let in, such as `key` and `secret`.

    Raises:
        WrongSetting: a cursor cannot be, or a window is asked for: files have no days.
    """
    if intake.window:
        raise WrongSetting("Files have no days to load again: a load reads all of them.")
    return [_resource(each, url, intake, storage) for each in files]


def file_pages(
    files: Files, url: str, observer: Observer | None = None, storage: dict[str, Any] | None = None
) -> Iterator[Page]:
    """The rows of the files, in the order of their names.

    Raises:
        SourceFailed: there is no such file, or one cannot be read; says which.
    """
    table, number, shown = files.contract.table, 0, plain_url(f"{url.rstrip('/')}/{files.path}")
    try:
        filesystem, path = fsspec.url_to_fs(f"{url.rstrip('/')}/{files.path}".rstrip("/"),
                                            **(storage or {}))  # fmt: skip
        found = sorted(filesystem.glob(path))
        if not found:
            raise SourceFailed(f"{table}: there is no file {shown}: check the URL and the path.")
        for name in found:
            shown = plain_url(filesystem.unstrip_protocol(name))
            with filesystem.open(name, "rb", compression="infer") as file:
                for rows in _reader(files, name)(file, files):
                    number += 1
                    page = Page(table, number, shown, rows)
                    if observer:
                        observer.page(page)
                    yield page
    except (OSError, ImportError, ValueError, pa.ArrowException) as error:
        said = (str(error).splitlines() or [""])[0]
        raise SourceFailed(
            f"{table} ({shown}): cannot be read: {type(error).__name__}: {said}. Nothing of it was "
            "loaded."
        ) from None


def _resource(
    files: Files, url: str, intake: Intake, storage: dict[str, Any] | None
) -> DltResource:
    def fetch(*_: object) -> Iterator[Page]:
        return file_pages(files, url, intake.observer, storage)

    cursor = _All(files.cursor, "") if files.cursor else None
    return log_or_snapshot(files.contract, fetch, intake, cursor)


class _All(Cursor):
    """A cursor that asks for everything, and is compared with everything."""

    def back(self, newest: Any) -> Any:
        """Before all that there is."""
        return None


def _reader(files: Files, name: str) -> Callable[[Any, Files], Iterator[list[msgspec.Raw]]]:
    suffixes = [each for each in name.lower().split(".")[1:] if each in SUFFIXES]
    format_ = files.format or (SUFFIXES[suffixes[-1]] if suffixes else "")
    if format_ not in READERS:
        known = ", ".join(SUFFIXES)
        raise SourceFailed(f"{files.contract.table}: {name}: its suffix is none of {known}.")
    return READERS[format_]


def _csv(file: IO[bytes], files: Files) -> Iterator[list[msgspec.Raw]]:
    contract = files.contract
    text = pcsv.ConvertOptions(
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parse = pcsv.ParseOptions(delimiter=files.delimiter, newlines_in_values=True)
    names = pcsv.open_csv(file, parse_options=parse).schema.names
    text.column_types = dict.fromkeys(names, pa.string())
    truths = {each.name for each in contract.columns if each.type == "boolean"}
    truths = {name for name in names if column_name((name,)) in truths}
    file.seek(0)
    reader = pcsv.open_csv(file, pcsv.ReadOptions(block_size=BLOCK), parse, text)
    for batch in reader:
        for rows in _batches(batch):
            for row in rows if truths else ():
                for name in truths:
                    row[name] = TRUTH.get((row[name] or "").lower(), row[name])
            yield list(map(as_json, rows))


def _parquet(file: IO[bytes], files: Files) -> Iterator[list[msgspec.Raw]]:
    for batch in pq.ParquetFile(file).iter_batches(ROWS):
        schema = pa.schema([each.with_type(_micro(each.type)) for each in batch.schema])
        yield [as_json(row) for row in batch.cast(schema, safe=False).to_pylist()]


def _micro(type_: pa.DataType) -> pa.DataType:
    """Nanoseconds are more than Python and Postgres have."""
    return pa.timestamp("us", type_.tz) if pa.types.is_timestamp(type_) else type_


def _jsonl(file: IO[bytes], files: Files) -> Iterator[list[msgspec.Raw]]:
    lines = (msgspec.Raw(line) for line in map(bytes.strip, file) if line)
    while rows := list(islice(lines, ROWS)):
        yield rows


def _batches(batch: pa.RecordBatch) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS).to_pylist()


READERS: dict[str, Callable[[IO[bytes], Files], Iterator[list[msgspec.Raw]]]] = {
    "csv": _csv, "parquet": _parquet, "jsonl": _jsonl,
}  # fmt: skip
