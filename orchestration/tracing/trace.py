"""`ecluse trace`: one row of a mart, the rows behind it, and where they came from."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConfigurationError
from orchestration.publication.versions import (
    LIVE,
    Version,
    find,
    marts_of,
    open_register,
)
from orchestration.settings import Settings
from orchestration.tracing.keys import condition, read_key
from orchestration.tracing.missing import explain_missing
from orchestration.tracing.models import Model, Models, read_models
from orchestration.tracing.origin import Origin, contract_of, origin
from orchestration.tracing.views import Views
from orchestration.tracing.walk import Found, Walk

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

MASK = "***"
MAY_SEE = """
select coalesce(pg_has_role(to_regrole(%s)::oid, 'usage'), false)
    or coalesce((select pg_has_role(relowner, 'usage') from pg_class
                 where oid = to_regclass(format('%%I.%%I', %s, %s))), false)
"""


@dataclass(frozen=True)
class Table:
    """The rows of one table that stand behind the traced one: `count`, and the first of them."""

    relation: str
    count: int
    rows: tuple[dict[str, Any], ...]
    origin: Origin | None  # of a table of raw


@dataclass(frozen=True)
class Trace:
    """A walk: the tables nearest to the mart first, and what could not be followed."""

    mart: str
    key: dict[str, str]
    version: int
    built_by: str
    watermark: str | None
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def trace(
    session: "connection", settings: Settings, mart: str, given: Sequence[str],
    limit: int = 5, clear: bool = False,
) -> Trace:  # fmt: skip
    """Walk back from the row, or the rows, of a mart that `given` names.

    Args:
        session: may read raw, the marts and ops.
        settings: of the project.
        mart: its name.
        given: the values of its key, or `column=value`.
        limit: how many rows of each table to show; all are counted and followed.
        clear: show personal data, if this login may see it.

    Raises:
        ConfigurationError: nothing is published, no such mart or row, or no right to see.
    """
    version, models = _published(session, settings)
    model = _find_mart(models, mart)
    with session.cursor() as cursor:
        if clear:
            _check_rights(cursor, settings, model)
        # one state of the warehouse throughout; nothing of it stays
        cursor.execute("begin isolation level repeatable read")
        try:
            return _trace(cursor, version, models, model, given, limit, clear)
        finally:
            cursor.execute("rollback")


def _trace(
    cursor: "cursor", version: Version, models: Models, model: Model,
    given: Sequence[str], limit: int, clear: bool,
) -> Trace:  # fmt: skip
    from psycopg2 import DataError

    key = read_key(cursor, model.name, model.stored or (LIVE, model.name), given)
    views = Views(cursor, models, version.watermark)
    try:
        found = Walk(cursor, views, limit).back(model.name, *condition(key))
    except DataError as error:
        raise ConfigurationError(f"{model.name}: {str(error).splitlines()[0]}.") from error
    if not found or not found[0].count:
        said = explain_missing(cursor, views, version, model.name, key)
        raise ConfigurationError(said)
    tables = tuple(_table(cursor, each, models, clear) for each in found)
    return Trace(
        model.name, key, version.number, version.run_id or "", version.watermark,
        tables, tuple(views.notes),
    )  # fmt: skip


def _table(cursor: "cursor", found: Found, models: Models, clear: bool) -> Table:
    came = origin(cursor, found, clear)
    hidden = set() if clear else _hidden(models, found)
    rows = tuple(_masked(row, hidden) for row in found.rows)
    if came:
        shown = (replace(raw, row=row) for raw, row in zip(came.rows, rows, strict=True))
        came = replace(came, rows=tuple(shown))
    return Table(found.relation, found.count, rows, came)


def _hidden(models: Models, found: Found) -> set[str]:
    """Columns with personal data: those tagged, and undescribed ones whose name is tagged."""
    known = contract_of(found.relation)
    own = {column.name for column in known[1].columns if column.pii} if known else set()
    tagged = models.pii.get(found.relation, frozenset())
    described = models.described.get(found.relation, frozenset())
    anywhere = {name for names in models.pii.values() for name in names}
    return own | tagged | (anywhere - described)


def _masked(row: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    return {name: MASK if name in hidden and value is not None else value
            for name, value in row.items()}  # fmt: skip


def _published(session: "connection", settings: Settings) -> tuple[Version, Models]:
    versions = open_register(session)
    if not any(version.schema == LIVE for version in versions):
        raise ConfigurationError("No marts are published yet: `make run` publishes them.")
    version = find(versions, "live")
    manifest = _manifest(settings, version)
    with session.cursor() as cursor:
        return version, read_models(manifest, version, marts_of(cursor, version))


def _manifest(settings: Settings, version: Version) -> Path:
    """The manifest of the run that built the version: its SQL is what the marts are made of."""
    path = settings.runs_dir / (version.run_id or "unknown") / "dbt" / "manifest.json"
    if not path.exists():
        raise ConfigurationError(
            f"The SQL of version {version.number} is not known here: {path} is missing. Trace "
            "where that run was, or publish from here: `.venv/bin/ecluse run`."
        )
    return path


def _find_mart(models: Models, name: str) -> Model:
    model = models.find(LIVE, name.removeprefix(f"{LIVE}."))
    if model:
        return model
    close = difflib.get_close_matches(name, models.marts, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise ConfigurationError(
        f"There is no mart {name!r}.{meant} Marts: {', '.join(models.marts) or 'none'}."
    )


def _check_rights(cursor: "cursor", settings: Settings, model: Model) -> None:
    cursor.execute(MAY_SEE, (settings.role("pii"), *(model.stored or (LIVE, model.name))))
    if cursor.fetchone() != (True,):
        raise ConfigurationError(
            "This login may not see personal data: trace without --pii, or let an owner grant it "
            "with `.venv/bin/ecluse grants --pii LOGIN`."
        )
