"""Look at a SQL database: its catalogue says types and keys, a sample what it leaves open."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dlt
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.sql import sqltypes

from ingestion.contract import Column, Contract, Type
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe.contracts import find_key
from ingestion.probe.found import Found, Resource, Since, Wish
from ingestion.probe.kinds import WIDEST, Kind
from ingestion.probe.names import CHANGED, personal
from ingestion.probe.shapes import Shape, normal

MOST_DIGITS = 38
# a type of the catalogue -> the values that it should have; the narrower type first
KINDS: dict[type, tuple[type, ...]] = {
    sqltypes.Boolean: (bool,), sqltypes.Integer: (int,), sqltypes.Float: (float, int, Decimal),
    sqltypes.Numeric: (Decimal, int, float), sqltypes.DateTime: (datetime,), sqltypes.Date: (date,),
}  # fmt: skip
WORDS: dict[type, Type] = {
    sqltypes.Boolean: "boolean", sqltypes.Integer: "whole", sqltypes.Float: "float",
    sqltypes.DateTime: "timestamp", sqltypes.Date: "date",
}  # fmt: skip


def look_at_database(wish: Wish, name: str, tell: Callable[[str], None]) -> Found:
    """What the tables of the database are.

    The password comes from SOURCES__<NAME>__PASSWORD, or dlt's secrets.

    Raises:
        SourceFailed: it cannot be reached, or has no table that could be loaded.
        WrongSetting: the URL is none, or holds a password.
    """
    url = _url(wish.url)
    password: Any = dlt.secrets.get(f"sources.{name}.password")
    try:
        engine = sa.create_engine(url.set(password=str(password)) if password else url)
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            found = Found("sql", url.render_as_string(hide_password=False), [])
            for table in wish.resources or sorted(inspector.get_table_names()):
                tell(table)
                found.resources.append(_table(connection, inspector, table, wish.sample))
    except ModuleNotFoundError as error:
        raise WrongSetting(f"No driver for {url.drivername}: install {error.name}.") from error
    except SQLAlchemyError as error:
        said = type(getattr(error, "orig", None) or error).__name__
        hint = "" if password else f" Its password goes into SOURCES__{name.upper()}__PASSWORD."
        raise SourceFailed(
            f"{url} cannot be read ({said}): check --url and --resource.{hint}"
        ) from None
    if not found.resources:
        raise SourceFailed(f"{url}: no tables there. Name one by --resource SCHEMA.TABLE.")
    return found


def _url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise WrongSetting("--url is neither http(s), nor files, nor a database URL.") from None
    if url.password:
        raise WrongSetting("Leave the password out of --url: it would be written into a file.")
    return url


def _table(connection: sa.Connection, inspector: sa.Inspector, path: str, sample: int) -> Resource:
    schema, _, table = path.rpartition(".")
    described = inspector.get_columns(table, schema or None)
    if not described:
        raise sa.exc.NoSuchTableError(path)
    source = sa.table(
        table, *(sa.column(each["name"]) for each in described), schema=schema or None
    )
    rows = connection.execute(sa.select(source).limit(sample)).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(source)).scalar_one()
    values = {normal(c["name"]): [row[n] for row in rows] for n, c in enumerate(described)}
    key, why, sure = _key(inspector, table, schema, Shape(len(rows), values))
    columns = tuple(
        _column(table, normal(each["name"]), each, values[normal(each["name"])], key)
        for each in described
    )
    since = _since(columns)
    resource = Resource(
        Contract(normal(table), key, columns, unknown="evolve"), path, since=since,
        sampled=len(rows), total=total,
    )  # fmt: skip
    (resource.found if sure else resource.doubts).append(why)
    resource.found.append(
        f"only what changed is read: by {since.column}" if since else
        "all of it is read on each load: no column that is never null says when a row changed"
    )  # fmt: skip
    if since:
        resource.doubts.append(f"rows that are deleted, or changed without a new {since.column}, "
                               "are not seen: take the cursor away to read all of it")  # fmt: skip
    return resource


def _key(
    inspector: sa.Inspector, table: str, schema: str, shape: Shape
) -> tuple[tuple[str, ...], str, bool]:
    declared = inspector.get_pk_constraint(table, schema or None).get("constrained_columns")
    if declared:
        return tuple(map(normal, declared)), f"key {', '.join(declared)}: its primary key", True
    for unique in inspector.get_unique_constraints(table, schema or None):
        names = tuple(map(normal, unique["column_names"]))
        if not any(value is None for name in names for value in shape.columns[name]):
            return names, f"key {', '.join(names)}: unique there, and never null", True
    return find_key(table, shape)


def _column(
    table: str, name: str, described: Any, values: list[Any], key: tuple[str, ...]
) -> Column:
    kind = _kind(described["type"], values)
    never_null = name in key or not described["nullable"]
    pii = personal(table, name)
    return Column(name, kind.type, not never_null, digits=kind.digits, zoned=kind.zoned, pii=pii)


def _kind(declared: Any, values: Iterable[Any]) -> Kind:
    """What the catalogue says, where the values agree: sqlite keeps anything in any column."""
    present = [value for value in values if value is not None]
    for kind, wanted in KINDS.items():
        if isinstance(declared, kind):
            if not all(isinstance(value, wanted) for value in present):
                break
            return _exactly(declared, present)
    return Kind("json") if isinstance(declared, sqltypes.JSON) else Kind("text")


def _exactly(declared: Any, values: list[Any]) -> Kind:
    if isinstance(declared, sqltypes.Numeric) and not isinstance(declared, sqltypes.Float):
        if declared.precision and declared.precision <= MOST_DIGITS:
            return Kind("decimal", (declared.precision, declared.scale or 0))
        fits = all(-int(Decimal(str(n)).as_tuple().exponent) <= WIDEST[1] for n in values)
        return Kind("decimal", WIDEST) if fits else Kind("text")
    word = next(word for kind, word in WORDS.items() if isinstance(declared, kind))
    return Kind(word, zoned=bool(getattr(declared, "timezone", False)))


def _since(columns: Iterable[Column]) -> Since | None:
    for column in columns:
        if CHANGED.match(column.name) and not column.nullable and column.type == "timestamp":
            return Since(column.name, "", "timestamp")
    return None
