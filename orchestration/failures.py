"""The rows that failed a dbt test: dbt stores them in the schema `quarantine`, for owners only.

They stay there until the test runs again. Personal data is masked for whoever is shown them.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestration.artifacts import read_hidden
from orchestration.records import read_runs
from orchestration.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

SCHEMA = "quarantine"
MASK = "***"


def failed_rows(
    session: "connection", settings: Settings, test: str, limit: int | None = None
) -> list[dict[str, Any]] | None:
    """The rows (at most `limit`) that failed a test when it last ran; None: nothing is stored."""
    from psycopg2 import sql

    with session.cursor() as cursor:
        table = sql.Identifier(SCHEMA, test)
        cursor.execute("select to_regclass(%s)", (table.as_string(cursor),))
        if cursor.fetchone() == (None,):
            return None
        return masked_rows(cursor, SCHEMA, test, limit, partial(_personal, settings, test))


def masked_rows(
    cursor: "cursor",
    schema: str,
    table: str,
    limit: int | None,
    hidden_of: Callable[[list[str]], set[str]],
) -> list[dict[str, Any]]:
    """Rows of a table; `hidden_of` says of its columns which are personal."""
    from psycopg2 import sql

    place = sql.Identifier(schema, table)
    cursor.execute(sql.SQL("select * from {} limit %s").format(place), (limit,))
    names = [column.name for column in cursor.description or ()]
    hidden = hidden_of(names)
    return [
        {name: MASK if name in hidden and value is not None else value
         for name, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]  # fmt: skip


def _personal(settings: Settings, test: str, names: list[str]) -> set[str]:
    """The columns to mask, as the newest build tags them; all, where no build is known."""
    for run in read_runs(settings.runs_dir):
        folder = settings.runs_dir / run["run_id"] / "dbt"
        if (folder / "manifest.json").exists():
            return read_hidden(folder, test, names)
    return set(names)
