"""`ecluse drift`: what was measured last, what is open, and the word that a new level is right."""

import json
from pathlib import Path

import click

from orchestration import ops
from orchestration.drift.detector import OPEN
from orchestration.drift.watch import number
from orchestration.errors import ConfigurationError
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

LATEST = Path(__file__).with_name("latest.sql").read_text()
ACCEPT = Path(__file__).with_name("accept.sql").read_text()


def list_drift(settings: Settings, table: str | None, as_json: bool) -> None:
    """Print what was measured last, each metric with its band, and the open drifts once more.

    Raises:
        ConfigurationError: nothing was measured of such a table.
    """
    name = _full_name(table) if table else None
    with open_warehouse(settings).session() as session, session.cursor() as cursor:
        ops.create_tables(session)
        cursor.execute(LATEST, {"table": name})
        rows = ops.rows_of(cursor)
    if table and not rows:
        raise ConfigurationError(
            f"Nothing was measured of {name}: `ecluse drift` lists the tables."
        )
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    if not rows:
        click.echo("Nothing was measured yet: `make run` does.")
        return
    wide = max(len(_metric(row)) for row in rows)
    for row in rows:
        band = f"{number(row['low'])} to {number(row['high'])}" if row["low"] is not None else "-"
        value, state = number(row["value"]), row["state"] or "-"
        click.echo(f"{_metric(row):{wide}} {value:>14}  {state:10} {band}")
    for row in rows:
        if row["state"] in OPEN:
            click.echo(f"open: {_metric(row)}, as run {row['run_id']} found it; if it is right: "
                       f".venv/bin/ecluse drift accept {row['table_name']}")  # fmt: skip


def accept(settings: Settings, table: str, metric: str | None) -> None:
    """Take the values of the open drifts of a table for the new level, from now on.

    Raises:
        ConfigurationError: no drift is open there.
    """
    name = _full_name(table)
    with open_warehouse(settings).session() as session, session.cursor() as cursor:
        ops.create_tables(session)
        cursor.execute(ACCEPT, {"table": name, "metric": metric})
        accepted = cursor.fetchall()
    if not accepted:
        what = f"{name} {metric}" if metric else name
        raise ConfigurationError(f"No drift is open on {what}: `ecluse drift` lists what is.")
    for each, value in accepted:
        click.echo(f"accepted: {name} {each} is about {number(value)} from now on")


def _metric(row: dict[str, str]) -> str:
    column = f"{row['column_name']}." if row["column_name"] else ""
    return f"{row['table_name']} {column}{row['metric']}"


def _full_name(table: str) -> str:
    return table if "." in table else f"marts.{table}"
