"""Look at a SQL database: its catalogue says types and keys, a sample what it leaves open."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import dlt
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.sql import sqltypes

from ingestion.contract import Column, Contract, Type
from ingestion.declared.sql import Table, make_engine, table_pages
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe.asking import Number
from ingestion.probe.contracts import find_key
from ingestion.probe.found import Found, Resource, Since, Wish
from ingestion.probe.kinds import JSON, TEXT, WIDEST, Kind, kind_of
from ingestion.probe.names import CHANGED, personal
from ingestion.probe.shapes import Shape, normal

MOST_DIGITS = 38
# what the catalogue calls a column -> its type, and the JSON values that it then has; sqlite keeps
# anything in any column, so both must hold
KINDS: dict[type, tuple[Type, tuple[type, ...]]] = {
    sqltypes.Boolean: ("boolean", (bool,)),
    sqltypes.Integer: ("whole", (int,)),
    sqltypes.Float: ("float", (int, Number)),
    sqltypes.Numeric: ("decimal", (str, int, Number)),
    sqltypes.DateTime: ("timestamp", (str,)),
    sqltypes.Date: ("date", (str,)),
    sqltypes.String: ("text", (str,)),
    sqltypes.JSON: ("json", ()),
    sqltypes.ARRAY: ("json", ()),
}


def look_at_database(wish: Wish, name: str, tell: Callable[[str], None]) -> Found:
    """What the tables of the database are.

    The password comes from SOURCES__<NAME>__PASSWORD, or dlt's secrets.

    Raises:
        SourceFailed: it cannot be reached, or has no table that could be loaded.
        WrongSetting: the URL is none, or holds a password.
    """
    url = _url(wish.url)
    password: Any = dlt.secrets.get(f"sources.{name}.password")
    engine = make_engine(wish.url, str(password) if password else None)
    found = Found("sql", wish.url, [], secrets={"password": "password"} if password else {})
    try:
        inspector = sa.inspect(engine)
        for table in wish.resources or sorted(inspector.get_table_names()):
            tell(table)
            found.resources.append(_table(engine, inspector, table, wish.sample))
    except SQLAlchemyError as error:
        said = type(getattr(error, "orig", None) or error).__name__
        hint = "" if password else f" Its password goes into SOURCES__{name.upper()}__PASSWORD."
        where = url.render_as_string()
        raise SourceFailed(
            f"{where} cannot be read ({said}): check --url, --resource.{hint}"
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


def _table(engine: sa.Engine, inspector: sa.Inspector, path: str, sample: int) -> Resource:
    schema, _, table = path.rpartition(".")
    described = inspector.get_columns(table, schema or None)
    rows: list[dict[str, Any]] = []
    for page in table_pages(Table(Contract(normal(table), (), ()), path), engine):
        rows += [json.loads(bytes(raw), parse_float=Number) for raw in page.rows]
        if len(rows) >= sample:
            break
    values = {normal(c["name"]): [row[c["name"]] for row in rows] for c in described}
    shape = Shape(len(rows), values)
    key, why, sure = _key(inspector, table, schema, shape)
    columns = tuple(_column(normal(table), each, values, key) for each in described)
    resource = Resource(
        Contract(normal(table), key, columns, unknown="evolve"), path, since=_since(columns),
        sampled=len(rows), total=None if len(rows) >= sample else len(rows),
    )  # fmt: skip
    (resource.found if sure else resource.doubts).append(why)
    if since := resource.since:
        resource.found.append(f"only what changed is read: by {since.column}")
        resource.doubts.append(f"rows that are deleted, or changed without a new {since.column}, "
                               "are not seen: take the cursor away to read all of it")  # fmt: skip
    else:
        resource.found.append("all of it is read on each load: no column that is never null says "
                              "when a row changed")  # fmt: skip
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


def _column(table: str, described: Any, values: dict[str, list[Any]], key: Iterable[str]) -> Column:
    name = normal(described["name"])
    kind = _kind(name, described["type"], values[name])
    never_null = name in key or not described["nullable"]
    pii = personal(table, name)
    return Column(name, kind.type, not never_null, digits=kind.digits, zoned=kind.zoned, pii=pii)


def _kind(name: str, declared: Any, values: list[Any]) -> Kind:
    present = [value for value in values if value is not None]
    for kind, (word, wanted) in KINDS.items():
        if isinstance(declared, kind):
            if not {type(value) for value in present} <= set(wanted):
                return JSON
            if word == "decimal":
                return _decimal(declared, present)
            return Kind(word, zoned=bool(getattr(declared, "timezone", False)))
    if {type(value) for value in present} == {str}:
        return TEXT  # a uuid, an interval, an enum
    return kind_of(name, values)


def _decimal(declared: Any, values: list[Any]) -> Kind:
    if declared.precision and declared.precision <= MOST_DIGITS:
        return Kind("decimal", (declared.precision, declared.scale or 0))
    places = [len(str(value).partition(".")[2]) for value in values]
    return Kind("decimal", WIDEST) if max(places, default=0) <= WIDEST[1] else JSON


def _since(columns: Iterable[Column]) -> Since | None:
    for column in columns:
        if CHANGED.match(column.name) and not column.nullable and column.type == "timestamp":
            return Since(column.name, "", "timestamp")
    return None
