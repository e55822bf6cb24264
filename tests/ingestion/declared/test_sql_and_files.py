"""Tables of a database and files of rows are sources like an API: same contract, same raw."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from ingestion.contract import Column, Contract, Limit
from ingestion.declared.files import Files, file_pages, file_resources
from ingestion.declared.sql import Table, make_engine, sql_resources, table_pages
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.intake import Window
from tests.databases import make_database
from tests.ingestion.declared.described import Desk

pytestmark = pytest.mark.slow  # dozens of loads

COLUMNS = (
    Column("id", "whole"),
    Column("name", "text", nullable=True),
    Column("price", "decimal", nullable=True, digits=(38, 9)),
    Column("ratio", "float", nullable=True),
    Column("sold_at", "timestamp", nullable=True),
    Column("seen_at", "timestamp", nullable=True, zoned=True),
    Column("day", "date", nullable=True),
    Column("open", "boolean", nullable=True),
)
THINGS = Contract("things", ("id",), COLUMNS)
NAMES = ", ".join(column.name for column in COLUMNS)
AT = datetime(2024, 3, 31, 1, 30, 0, 123456)
FIRST = (1, 'é\n"x"', Decimal("0.123456789"), 0.1 + 0.2, AT, AT, date(2024, 2, 29), True)
EMPTY = (2, "", None, None, None, None, None, None)
BIG = (2**62 + 1, None, Decimal("-12345678901234567890.5"), -1e300, AT, AT, date.min, False)


@pytest.fixture
def desk(warehouse, tmp_path, monkeypatch) -> Desk:
    return Desk(warehouse, tmp_path / "dlt", monkeypatch)


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(request, server, tmp_path):
    """A database with a table: its URL, and an engine to change it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/shop.db"
    else:
        found = make_database(server)
        url = f"postgresql://{found.user}:none-needed@/{found.dbname}?host={found.host}"
    engine = make_engine(url)
    exact = sa.Numeric(38, 9) if request.param == "postgresql" else sa.String
    table = sa.Table(
        "Things", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("Name", sa.Text), sa.Column("price", exact), sa.Column("ratio", sa.Double),
        sa.Column("soldAt", sa.DateTime), sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date), sa.Column("open", sa.Boolean),
    )  # fmt: skip
    table.metadata.create_all(engine)
    aware = request.param == "postgresql"

    def put(*rows: tuple) -> None:
        with engine.begin() as connection:
            for row in rows:
                price = row[2] if aware or row[2] is None else str(row[2])
                seen = row[5] and row[5].replace(tzinfo=UTC)
                connection.execute(
                    table.insert().values((*row[:2], price, *row[3:5], seen, *row[6:]))
                )

    put(FIRST, EMPTY, BIG)
    yield url, put, engine, aware
    engine.dispose()


def zoned(aware: bool) -> Contract:
    """SQLite has no zones."""
    columns = tuple(c if aware or not c.zoned else Column("seen_at", "timestamp", True)
                    for c in COLUMNS)  # fmt: skip
    return Contract("things", ("id",), columns)


def test_a_table_comes_to_the_last_digit_and_once(desk, shop):
    url, put, engine, aware = shop
    things = Table(zoned(aware), "Things")
    record = desk.load(lambda intake: sql_resources([things], url, intake))
    assert desk.rows("things", NAMES) == sorted([FIRST, EMPTY, BIG])
    assert record.endpoints["things"].endswith("/Things")
    assert "none-needed" not in str(record)
    with engine.begin() as connection:
        connection.execute(sa.text("""delete from "Things" where id = 2"""))
    put((3, *EMPTY[1:]))
    assert desk.load(lambda intake: sql_resources([things], url, intake)).loaded == {"things": 1}
    valid = desk.rows("things", "id, name", "_dlt_valid_to is null")
    assert [id_ for id_, _ in valid] == [1, 3, BIG[0]]


@pytest.mark.parametrize(
    ("cursor", "since", "ids"),
    [
        ("sold_at", AT, [1, BIG[0]]), ("sold_at", AT.replace(minute=31), []),
        ("seen_at", AT, [1, BIG[0]]), ("seen_at", AT.replace(minute=31), []),
        ("day", date(2024, 2, 29), [1]), ("day", date(2024, 3, 1), []),
        ("id", 2, [2, BIG[0]]), ("sold_at", date(2024, 3, 31), [1, BIG[0]]),
        ("seen_at", date(2024, 4, 1), []),
    ],
)  # fmt: skip
def test_a_table_is_asked_from_a_value_on(shop, cursor, since, ids):
    _, _, engine, aware = shop
    things = Table(zoned(aware), "Things", cursor=cursor)
    pages = list(table_pages(things, engine, since=since))
    found = [msgspec.json.decode(row)["id"] for page in pages for row in page.rows]
    # what has no value there might have been changed too
    assert sorted(found) == sorted({*ids, *([] if cursor == "id" else [2])})
    assert all(page.url.endswith(f"?since={since}") for page in pages)


def test_a_log_of_a_table_appends_what_is_new_and_knows_its_days(desk, shop):
    url, put, _, aware = shop
    things = Table(zoned(aware), "Things", cursor="seen_at")

    def load(**options):
        return desk.load(lambda intake: sql_resources([things], url, intake), **options)

    load()
    later, id_ = AT.replace(month=4, day=9), 2**62 + 9
    put((id_, "new", None, None, later, later, later.date(), None))
    old = datetime(2020, 5, 5, 23, 59)
    put((3, "late", None, None, old, old, old.date(), None))
    assert load().loaded == {"things": 1}
    window = Window(date(2020, 5, 5), date(2020, 5, 5))
    assert load(window=window).loaded == {"things": 1}
    assert desk.count("things") == 5


@pytest.mark.parametrize(
    ("url", "table", "error", "said"),
    [
        ("sqlite://", Table(THINGS, "none"), SourceFailed, "no such table"),
        ("postgresql://me:s3cret@127.0.0.1:1/db", Table(THINGS, "t"), SourceFailed,
         r"postgresql://127.0.0.1:1/db/t\): the database says: .*refused"),
        ("s3cret", Table(THINGS, "t"), WrongSetting, "cannot be used: write it as"),
        ("magic://me:s3cret@x/y", Table(THINGS, "t"), WrongSetting, "magic.*install the driver"),
        ("sqlite://", Table(THINGS, "t", cursor="name"), WrongSetting, "'name' must be a whole"),
    ],
)  # fmt: skip
def test_a_database_that_does_not_answer_is_named_without_its_password(
    desk, url, table, error, said
):
    with pytest.raises(error, match=said) as caught:
        desk.load(lambda intake: sql_resources([table], url, intake))
    assert "s3cret" not in str(caught.value)


def written(folder: Path, format_: str) -> str:
    """The three rows as files of this format, in two parts; the glob."""
    rows = [dict(zip((c.name for c in COLUMNS), row, strict=True)) for row in (FIRST, EMPTY, BIG)]
    for part, some in (("a", rows[:2]), ("b", rows[2:])):
        if format_ == "parquet":
            types = [(c.name, pa.timestamp("ns", "UTC") if c.zoned else c.arrow_type())
                     for c in COLUMNS]  # fmt: skip
            table = pa.Table.from_pylist(some, schema=pa.schema(types))
            pq.write_table(table, folder / f"{part}.parquet")
            continue
        said = [
            {name: value.isoformat() + "Z" * (name == "seen_at") if isinstance(value, date)
             else value for name, value in row.items()}
            for row in some
        ]  # fmt: skip
        if format_ == "jsonl":
            lines = "\n".join(json.dumps(row, default=str) for row in said)
            (folder / f"{part}.jsonl").write_text(lines + "\n\n")
        else:
            text = "\n".join(
                [",".join(rows[0]), *(",".join(map(_field, r.values())) for r in said)]
            )
            (folder / f"{part}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return f"*.{format_}" + ".gz" * (format_ == "csv")


def _field(value: object) -> str:
    return "" if value is None else '"' + str(value).replace('"', '""') + '"'


@pytest.mark.parametrize("format_", ["csv", "parquet", "jsonl"])
def test_files_come_to_the_last_digit_and_once(desk, tmp_path, format_):
    things = Files(THINGS, written(tmp_path, format_))
    record = desk.load(lambda intake: file_resources([things], str(tmp_path), intake))
    assert desk.rows("things", NAMES) == sorted([FIRST, EMPTY, BIG])
    assert desk.rows("things", "_page, id") == [(1, 1), (1, 2), (2, BIG[0])], "a file is a page"
    assert record.endpoints["things"].startswith("file://")
    again = desk.load(lambda intake: file_resources([things], str(tmp_path), intake))
    assert not any(again.loaded.values())


def test_new_files_of_a_log_are_appended(desk, tmp_path):
    things = Files(THINGS, "*.jsonl", cursor="id")
    for number in (5, 3):  # a late one too
        (tmp_path / f"{number}.jsonl").write_text(json.dumps({"id": number}))
        loaded = desk.load(lambda intake: file_resources([things], str(tmp_path), intake)).loaded
        assert loaded == {"things": 1}
    (tmp_path / "5.jsonl").unlink()
    desk.load(lambda intake: file_resources([things], str(tmp_path), intake))
    assert desk.rows("things", "id, name") == [(3, None), (5, None)]


def test_a_row_of_a_file_that_breaks_the_contract_is_set_aside(desk, tmp_path):
    (tmp_path / "x.csv").write_text("id;open\n1;yes\n2;maybe\nthree;no\n")
    things = Files(Contract("things", ("id",), COLUMNS, stop=Limit(9, 1)), "", delimiter=";")
    url = str(tmp_path / "x.csv")
    record = desk.load(lambda intake: file_resources([things], url, intake))
    assert record.rejected == {"things": 2}
    assert desk.rows("things", "id, open") == [(1, True)]


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("*.csv", None, r"there is no file .*/\*.csv"),
        ("a.xlsx", b"x", "its suffix is none of csv"),
        ("a.parquet", b"x", "a.parquet.: cannot be read: ArrowInvalid"),
        ("a.csv", b"id,name\n1\n", "a.csv.: cannot be read: ArrowInvalid"),
        ("a.csv.gz", b"id,name\n1,x\n", "cannot be read: BadGzipFile"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, path, content, said):
    if content:
        (tmp_path / path).write_bytes(content)
    with pytest.raises(SourceFailed, match=said):
        list(file_pages(Files(THINGS, path), str(tmp_path)))
