"""Tables of a SQL database, through SQLAlchemy and dlt's table loader: a `Table` for each.

Rows are streamed; they become JSON and go through the same contract as those of an API. Without a
cursor a table is a full snapshot on each load.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from dlt.sources import DltResource
from dlt.sources.sql_database.helpers import TableLoader
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from ingestion.contract import Contract
from ingestion.declared.cursor import DAY, Cursor, log_or_snapshot
from ingestion.declared.shape import as_json, column_name
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.intake import Intake
from ingestion.pages import Observer, Page

ROWS = 10_000  # of a page


@dataclass(frozen=True)
class Table:
    """Where rows are: `name` is that of a table or view, with its schema where it needs one.

    `cursor` is the column of the contract that grows with every change, `lookback` how far before
    its newest known value a load starts again (a day, or 0 of a number).
    """

    contract: Contract
    name: str
    cursor: str | None = None
    lookback: timedelta | int | None = None


def sql_resources(
    tables: Sequence[Table], url: str, intake: Intake, password: str | None = None
) -> list[DltResource]:
    """The dlt resources of these tables.

    Args:
        tables: what to load.
        url: of SQLAlchemy, such as `postgresql://reader@host/shop`.
        intake: of this load.
        password: comes to the source function as an argument with `dlt.secrets.value`.

    Raises:
        WrongSetting: the URL or a cursor cannot be.
    """
    engine = make_engine(url, password)
    return [_resource(table, engine, intake) for table in tables]


def make_engine(url: str, password: str | None = None) -> sa.Engine:
    """The engine of a URL.

    Raises:
        WrongSetting: it is none, or its driver is not installed; it is not quoted.
    """
    try:
        made = sa.make_url(url)
        if made.drivername in {"postgres", "postgresql"}:
            made = made.set(drivername="postgresql+psycopg2")  # the one that is installed
        return sa.create_engine(made.set(password=password) if password else made)
    except (ArgumentError, ImportError) as error:  # what is no URL at all may be a secret
        said = f" ({error})" if isinstance(error, NoSuchModuleError | ImportError) else ""
        raise WrongSetting(
            f"The URL of the database cannot be used{said}: write it as "
            "postgresql://user@host/database, and install the driver of its kind."
        ) from None


def table_pages(
    table: Table,
    engine: sa.Engine,
    observer: Observer | None = None,
    since: date | int | None = None,
    until: date | None = None,
) -> Iterator[Page]:
    """The rows of a table, `since` a value of its cursor and up to the day `until`.

    Raises:
        SourceFailed: the database cannot be reached or refuses; says where, without a password.
    """
    url, where = _shown(engine, table), _asked(since, until)
    try:
        found = _reflected(table, engine)
        bounds = _bounds(table, found, since, until) if table.cursor else []
        loader = TableLoader(
            engine, "sqlalchemy", found, {}, ROWS,
            query_adapter_callback=lambda query, _: query.where(*bounds),
        )  # fmt: skip
        number = 0
        for number, rows in enumerate(loader.load_rows(), start=1):
            page = Page(table.contract.table, number, url + where, list(map(as_json, rows)))
            if observer:
                observer.page(page)
            yield page
        if not number and observer:
            observer.page(Page(table.contract.table, 1, url + where, []))
    except NoSuchTableError:
        raise SourceFailed(
            f"{table.contract.table} ({url}): there is no such table for this user."
        ) from None
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SourceFailed(
            f"{table.contract.table} ({url}): the database says: {said}. Nothing of it was loaded."
        ) from None


def _resource(table: Table, engine: sa.Engine, intake: Intake) -> DltResource:
    def fetch(_: str, since: date | int | None = None, until: date | None = None) -> Iterator[Page]:
        return table_pages(table, engine, intake.observer, since, until)

    # every column of a database can be asked for an end
    cursor = Cursor(table.cursor, "", until="<", lookback=table.lookback) if table.cursor else None
    return log_or_snapshot(table.contract, fetch, intake, cursor)


def _reflected(table: Table, engine: sa.Engine) -> sa.Table:
    schema, _, name = table.name.rpartition(".")
    return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=engine)


def _bounds(
    table: Table, found: sa.Table, since: date | int | None, until: date | None
) -> list[sa.ColumnElement[bool]]:
    named = {column_name((column.name,)): column for column in found.columns}
    if table.cursor not in named:
        raise WrongSetting(
            f"{table.contract.table}: {table.name} has no column {table.cursor!r} for the cursor."
        )
    column = named[table.cursor]
    (promised,) = (each for each in table.contract.columns if each.name == table.cursor)
    value: Callable[[Any], Any] = _zoned if promised.zoned else _same
    if isinstance(column.type, sa.String):
        value = _day  # with the day alone it does not matter how the time is written
    bounds = [sa.or_(column >= value(since), column.is_(None))] if since is not None else []
    return [*bounds, column < value(until + DAY)] if until else bounds


def _same(value: Any) -> Any:
    return value


def _zoned(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment.replace(tzinfo=UTC)


def _day(value: date) -> str:
    return value.strftime("%Y-%m-%d")


def _shown(engine: sa.Engine, table: Table) -> str:
    """The address of a table without user and password."""
    url = engine.url
    host = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    return f"{url.get_backend_name()}://{host}/{url.database or ''}/{table.name}"


def _asked(since: object, until: date | None) -> str:
    asked = {"since": since, "until": until}
    words = [f"{name}={value}" for name, value in asked.items() if value is not None]
    return f"?{'&'.join(words)}" if words else ""
