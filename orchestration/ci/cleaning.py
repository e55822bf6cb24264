"""`ecluse clean`: what may go of those that are dead."""

import json
from typing import TYPE_CHECKING

import click

from orchestration.ci import space
from orchestration.doctor.leftovers import HAS_OPS, STRAYS, half_written
from orchestration.errors import RunLocked
from orchestration.lock import run_lock
from orchestration.publication.sql import ddl
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

HELD = "a run is at work: schemas of replays and of unknown versions are left alone"


def clean_up(settings: Settings, yes: bool, as_json: bool) -> None:
    """Say what is left of the dead, and with `yes` remove it."""
    warehouse = open_warehouse(settings)
    with warehouse.session() as session:
        found = {left.name: left.said for left in space.leftovers(session)}
        if yes:
            for name in found:
                space.clear(session, name)
    strays, note = _strays(warehouse, yes)
    found |= dict.fromkeys(strays, "belongs to no version")
    for part in half_written(settings):
        found[str(part.relative_to(settings.root))] = "half-written"
        if yes:
            part.unlink(missing_ok=True)
    if as_json:
        click.echo(json.dumps({"removed": yes, "found": found, "note": note}, indent=1))
        return
    for name, said in found.items():
        click.echo(f"{'removed' if yes else 'would remove'} {name} ({said})")
    if note:
        click.echo(f"note: {note}")
    if not found:
        click.echo("There is nothing to remove.")
    elif not yes:
        click.echo("Nothing was removed: --yes does it.")


def _strays(warehouse: Warehouse, yes: bool) -> tuple[list[str], str]:
    """Under the run lock: without it a schema may be one that somebody is building."""
    try:
        with run_lock(warehouse, "clean") as session:
            return _drop_strays(session, yes), ""
    except RunLocked:
        return [], HELD


def _drop_strays(session: "connection", yes: bool) -> list[str]:
    with session.cursor() as cursor:
        cursor.execute(HAS_OPS)
        if cursor.fetchone() != (True,):
            return []
        cursor.execute(STRAYS)
        found = [schema for (schema,) in cursor.fetchall()]
        for schema in found if yes else ():
            ddl(cursor, "drop schema if exists {} cascade", schema)
    return found
