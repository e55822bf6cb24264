"""Commands about rejected rows: quarantine list, show, export, replay."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from orchestration.cli.options import json_option, recorded, wait_option
from orchestration.settings import load_settings

REASONS = 3  # named for each table
EXPORTED = ("_dlt_id", "content", "path", "reason", "value", "key", "first_seen_at", "run_id",
            "endpoint", "page", "row_number")  # fmt: skip


@click.group()
def quarantine() -> None:
    """Rows that broke their contract: look at them, mend them, send them through again."""


@quarantine.command("list")
@json_option
def list_heaps(as_json: bool) -> None:
    """How many rows of which table wait, and why."""
    from orchestration.steps.quarantine import find_heaps
    from orchestration.warehouse import open_warehouse

    with open_warehouse(load_settings()).session() as session:
        found = find_heaps(session)
    if as_json:
        click.echo(json.dumps([asdict(heap) for heap in found], default=str, indent=1))
        return
    if not any(heap.waiting for heap in found):
        click.echo("No rows are in quarantine.")
    for heap in found:
        since = f" since {heap.since:%Y-%m-%d %H:%M}" if heap.since else ""
        click.echo(f"{heap.source}.{heap.table}: {heap.waiting:,} wait{since}, "
                   f"{heap.released:,} have left")  # fmt: skip
        for reason, rows in list(heap.reasons.items())[:REASONS]:
            click.echo(f"  {rows:>8,}  {reason}")


@quarantine.command()
@click.argument("table")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True,
              help="How many rows to show.")  # fmt: skip
@json_option
def show(table: str, limit: int, as_json: bool) -> None:
    """The newest rows of TABLE that wait, or those that failed the dbt test TABLE.

    Personal data is masked.
    """
    rows = _rows(table)[:limit]
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    for row in rows:
        if "_dlt_id" not in row:
            click.echo(", ".join(f"{name} {value}" for name, value in row.items()))
            continue
        got = "" if row["value"] is None else f", got {row['value']}"
        where = f"{row['endpoint']} page {row['page']} row {row['row_number']}"
        click.echo(f"{row['_dlt_id']}  {row['path']}: {row['reason']}{got}")
        click.echo(f"  {row['first_seen_at']:%Y-%m-%d %H:%M} run {row['run_id']}, {where}")
        click.echo(f"  {row['content']}")


@quarantine.command()
@click.argument("table")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(table: str, file: Path) -> None:
    """Write the rows of TABLE that wait to FILE (.csv, .jsonl or .parquet).

    TABLE may also be a dbt test: its rows when it last failed. To mend rejected rows, edit their
    `content` and give the file to `replay --fixed`. Personal data is masked (***); where that is
    left alone, the row keeps what it had.
    """
    from orchestration.exports import write_rows

    rows = _rows(table)
    rejected = not rows or "_dlt_id" in rows[0]
    write_rows(file, rows, EXPORTED if rejected else list(rows[0]))
    click.echo(f"{len(rows):,} rows of {table} in {file}")


@quarantine.command()
@click.argument("table", required=False)
@click.option("--fixed", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="The rows of this export, as they were edited.")  # fmt: skip
@wait_option
@json_option
def replay(table: str | None, fixed: Path | None, wait: bool, as_json: bool) -> None:
    """Load the rows that wait (of TABLE, or all) under the contract as it is now.

    Those that pass leave the quarantine, with a trace; the others stay, with what is wrong now.
    The next run builds and publishes what has come in.
    """
    from orchestration import steps

    recorded("quarantine", wait, as_json, lambda run: steps.replay_quarantine(run, table, fixed))


def _rows(table: str) -> list[dict[str, Any]]:
    from ingestion.stored import waiting_rows
    from orchestration.failures import failed_rows
    from orchestration.steps.quarantine import find_heap
    from orchestration.warehouse import open_warehouse

    settings = load_settings()
    with open_warehouse(settings).session() as session, session.cursor() as cursor:
        failed = failed_rows(session, settings, table)
        if failed is not None:
            return failed
        heap = find_heap(session, table)
        return waiting_rows(cursor, heap.source, heap.table)


COMMANDS: tuple[click.Command, ...] = (quarantine,)
