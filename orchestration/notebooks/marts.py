"""Marts as pandas DataFrames, of the version that readers have or of an earlier one.

    from ecluse import marts
    orders = marts.read("orders")

`marts.about(orders)` says which version it is, how fresh, and where each column comes from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConfigurationError
from orchestration.publication.versions import LIVE
from orchestration.settings import load_settings
from orchestration.warehouse import open_warehouse

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

__all__ = ["About", "about", "names", "read", "read_all"]

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
READABLE, TABLES, LIVE_AT, VERSIONS, FRESHNESS, ORIGINS, _ = SQL.split(";\n")
KEY = "ecluse"  # in DataFrame.attrs
Version = dict[str, Any]
When = str | datetime | None


@dataclass(frozen=True)
class About:
    """What is known of a mart that was read; without a right to read `ops`, its name alone.

    `sources` holds the newest moment of each source table when the version was built; `lineage`
    where the values of each column come from, such as `endpoint.jaffle_shop.orders $[].subtotal`.
    Moments are ISO texts, so that `DataFrame.attrs` can be written to parquet.
    """

    mart: str
    schema: str
    version: int | None = None
    run_id: str | None = None
    git_commit: str | None = None
    published_at: str | None = None
    sources: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, list[str]] = field(default_factory=dict)

    @property
    def age(self) -> timedelta | None:
        """How old the stalest of the sources is now; None when nobody measured it."""
        newest = [datetime.fromisoformat(moment) for moment in self.sources.values()]
        return datetime.now(UTC) - min(newest) if newest else None


def read(
    mart: str, version: int | str | None = None, as_of: When = None, **options: Any
) -> "pd.DataFrame":
    """A mart as a DataFrame; decimals become floats.

    Args:
        mart: its name, such as "orders".
        version: a number that `ecluse versions` lists; the live one by default.
        as_of: instead, what readers had at a moment (a datetime, or text such as 2026-01-31T08:00;
            UTC unless it has a zone), or when the run of this id had ended.
        options: of pandas.read_sql_query, such as dtype_backend.

    Raises:
        ConfigurationError: no such mart or version, or it was dropped; says what to do.
        WarehouseUnreachable: Postgres does not answer.
    """
    return read_all([mart], version, as_of, **options)[mart]


def read_all(
    wanted: Sequence[str] | None = None,
    version: int | str | None = None,
    as_of: When = None,
    **options: Any,
) -> "dict[str, pd.DataFrame]":
    """Several marts, or all there are, by name: of one version, whatever is published meanwhile.

    Raises:
        ConfigurationError, WarehouseUnreachable: as `read` does.
    """
    import pandas as pd
    from sqlalchemy import text

    found = {}
    with _snapshot() as connection:
        schema, of = _place(connection, version, as_of)
        there = _tables(connection, schema)
        quote = connection.dialect.identifier_preparer.quote
        for mart in wanted if wanted is not None else there:
            if mart not in there:
                known = ", ".join(there) or "none yet: `make run` publishes some"
                raise ConfigurationError(f"There is no mart {mart!r}. Marts: {known}.")
            query = text(f"select * from {quote(schema)}.{quote(mart)}")  # noqa: S608 - both are known
            frame = found[mart] = pd.read_sql_query(query, connection, **options)
            frame.attrs[KEY] = asdict(_about(connection, mart, schema, of))
    return found


def about(frame: "pd.DataFrame") -> About:
    """What is known of a DataFrame that was read here. It is kept by most of what pandas does.

    Raises:
        ConfigurationError: it was made elsewhere, or pandas has dropped what was known.
    """
    if KEY not in frame.attrs:
        raise ConfigurationError("Nothing is known of this DataFrame: marts.read() made another.")
    return About(**frame.attrs[KEY])


def names(version: int | str | None = None, as_of: When = None) -> list[str]:
    """The marts that there are in a version.

    Raises:
        ConfigurationError, WarehouseUnreachable: as `read` does.
    """
    with _snapshot() as connection:
        return _tables(connection, _place(connection, version, as_of)[0])


@contextmanager
def _snapshot() -> "Iterator[Connection]":
    """A connection whose statements all see the same moment."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    url = open_warehouse(load_settings()).sqlalchemy_url()
    engine = create_engine(url, isolation_level="REPEATABLE READ", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _place(
    connection: "Connection", version: int | str | None, as_of: When
) -> tuple[str, Version | None]:
    """The schema to read, and its row of the register."""
    if version is not None and as_of is not None:
        raise ConfigurationError("Give `version` or `as_of`, not both.")
    if not _rows(connection, READABLE)[0]["readable"]:
        if version is not None or as_of is not None:
            raise ConfigurationError(
                "This login may read what is published now, and no earlier version: leave out "
                "`version` and `as_of`, or use the login of the runs."
            )
        return LIVE, None
    versions = _rows(connection, VERSIONS)
    found = _named(versions, version) if version is not None else _then(connection, versions, as_of)
    if found is None:
        return LIVE, None
    if found["schema_name"] is None:
        raise ConfigurationError(
            f"Version {found['version']} was dropped (ECLUSE_KEEP_VERSIONS keeps more). "
            f"`.venv/bin/ecluse replay {found['run_id']} --keep` rebuilds it in a schema of its "
            "own and says which."
        )
    return found["schema_name"], found


def _named(versions: list[Version], name: int | str) -> Version:
    wanted = str(name).removeprefix("v")
    found = next((each for each in versions if str(each["version"]) == wanted), None)
    if not found:
        known = ", ".join(str(each["version"]) for each in versions) or "none yet"
        raise ConfigurationError(f"There is no version {name!r}. Versions: {known}.")
    return found


def _then(connection: "Connection", versions: list[Version], as_of: When) -> Version | None:
    """The version that was live at a moment or after a run; now, if none is given."""
    moment, run = as_of, None
    if isinstance(as_of, str):
        try:
            moment = datetime.fromisoformat(as_of)
        except ValueError:
            moment, run = None, as_of
    if isinstance(moment, datetime) and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    (row,) = _rows(connection, LIVE_AT, run=run, moment=moment)
    if run and not row["known"]:
        raise ConfigurationError(f"There is no moment and no run {run!r}: see `make status`.")
    found = next((each for each in versions if each["version"] == row["version"]), None)
    if not found and as_of is not None:
        raise ConfigurationError(f"Nothing was published yet as of {as_of}.")
    return found


def _tables(connection: "Connection", schema: str) -> list[str]:
    return [row["name"] for row in _rows(connection, TABLES, schema=schema)]


def _about(connection: "Connection", mart: str, schema: str, of: Version | None) -> About:
    if of is None:
        return About(mart, schema)
    fresh = _rows(connection, FRESHNESS, run_id=of["run_id"])
    lineage: dict[str, list[str]] = {}
    for row in _rows(connection, ORIGINS, graph=of["lineage"], mart=mart):
        lineage.setdefault(row["mart_column"], []).append(row["origin"])
    return About(
        mart=mart,
        schema=schema,
        version=of["version"],
        run_id=of["run_id"],
        git_commit=of["git_commit"],
        published_at=of["published_at"].isoformat(),
        sources={row["name"]: row["newest_at"].isoformat() for row in fresh},
        lineage=lineage,
    )


def _rows(connection: "Connection", sql: str, **values: object) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.exec_driver_sql(sql, values).mappings()]
