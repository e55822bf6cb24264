"""The versions in words."""

import json
from dataclasses import asdict
from datetime import datetime

import click

from orchestration.publication.versions import Version, last_switch, open_register
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

HEADS = ("version", "state", "published (UTC)", "by run", "commit", "schema")


def list_versions(settings: Settings, as_json: bool) -> None:
    """Print the versions that stand somewhere, newest first."""
    with open_warehouse(settings).session() as session:
        found = [v for v in open_register(session) if v.schema]
        with session.cursor() as cursor:
            last = last_switch(cursor)
    if as_json:
        click.echo(
            json.dumps([{**asdict(v), "state": v.state} for v in found], default=str, indent=1)
        )
        return
    if not found:
        click.echo("No version yet: `make run` publishes one.")
        return
    click.echo(_row(HEADS))
    for version in found:
        click.echo(_row(_cells(version)))
    if last and last.kind == "rollback":
        held = ", and holds it: no run publishes over it" if last.held else ""
        click.echo(f"\nrun {last.run_id} rolled back to version {last.version}{held}")
    waiting = next((v for v in found if v.state == "tested"), None)
    if waiting:
        click.echo(f"\nversion {waiting.number} is tested and waits: "
                   f".venv/bin/ecluse publish {waiting.run_id}")  # fmt: skip


def _cells(version: Version) -> tuple[str, ...]:
    return (
        str(version.number), version.state, _minute(version.published_at), version.run_id or "-",
        (version.git_commit or "-")[:8], version.schema or "-",
    )  # fmt: skip


def _row(cells: tuple[str, ...]) -> str:
    widths = (7, 9, 17, 24, 9, 0)
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"
