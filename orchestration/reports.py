"""The record in words: the summary of a run, `ecluse status`, `ecluse runs show`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from orchestration.errors import ConfigurationError
from orchestration.records import RunRecord, StepRecord, read_runs
from orchestration.settings import Settings

LONGEST_LINE = 160  # of the list of runs; `runs show` has the whole reason
HEADLINES = {
    "published": "published",
    "passed": "done",
    "rejected": "NOT PUBLISHED: the data is bad",
    "broken": "BROKEN",
    "cancelled": "cancelled",
}
HEADLINES_OF = {("rollback", "published"): "rolled back", ("replay", "rejected"): "DIFFERS"}


def summary(record: RunRecord) -> str:
    """What happened, and where to look: the last lines of a run."""
    own = HEADLINES_OF.get((record.kind, record.status))
    head = own or HEADLINES.get(record.status, record.status)
    lines = ["", f"run {record.run_id}: {head} in {record.seconds:.1f} s"]
    lines += [f"  {step.step:8} {_outcome(step)}" for step in record.steps]
    lines += [f"  note     {text}" for text in record.notes]
    lines += [f"  {name:8} {text}" for name, text in _where_to_look(record).items()]
    return "\n".join(lines)


def _outcome(step: StepRecord) -> str:
    # why a step failed is the last line that a run prints: not here a second time
    return "FAILED" if step.status == "failed" else step.detail or step.status


def _where_to_look(record: RunRecord) -> dict[str, str]:
    look = {"record": f"runs/{record.run_id}/run.json (and make status)"}
    if record.status == "published":
        look["tables"] = "make psql, then: select * from marts.daily_sales limit 5;"
    elif record.status == "rejected":
        look["why"] = f".venv/bin/ecluse runs show {record.run_id}"
    look["site"] = "site/index.html (or make docs)"
    return look


def status(settings: Settings, last: int, as_json: bool) -> None:
    """Print the last runs and the freshness that the newest of them found."""
    runs = read_runs(settings.runs_dir, last)
    if as_json:
        click.echo(json.dumps(runs, indent=1))
        return
    if not runs:
        click.echo("No run yet: `make run` makes one.")
        return
    for run in runs:
        click.echo(_shortened(_line(run), LONGEST_LINE))
    found = (run["freshness"] for run in runs if run.get("freshness"))
    fresh: list[dict[str, Any]] = next(found, [])
    if fresh:
        click.echo("\nsources, when a run last looked:")
    for row in fresh:
        age = _age(row["newest_at"])
        click.echo(f"  {row['source']}.{row['table_name']:24} {row['status']:6} newest {age} ago")


def show(settings: Settings, run_id: str, as_json: bool) -> None:
    """Print one run.

    Raises:
        ConfigurationError: there is no such run.
    """
    run = find_run(settings, run_id)
    if as_json:
        click.echo(json.dumps(run, indent=1))
        return
    click.echo(_line(run))
    click.echo(
        f"  commit   {run['git_commit'] or 'none'}{' (changed)' if run['git_dirty'] else ''}"
    )
    click.echo(f"  on       {run['warehouse'] or 'no warehouse reached'}")
    for step in run["steps"]:
        click.echo(f"  {step['step']:8} {step['status']:8} {step['detail']}")
    for load in run["loads"]:
        _show_load(load)
    for test in run["tests"]:
        if test["status"] in {"fail", "error", "warn"}:
            _show_test(settings.runs_dir / run["run_id"], test)
    for note in run["notes"]:
        click.echo(f"  note     {note}")
    click.echo(f"  files    runs/{run['run_id']}/")


def _shortened(text: str, most: int) -> str:
    """The text, cut where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def find_run(settings: Settings, run_id: str) -> dict[str, Any]:
    """The record of a run; `latest` is the newest, and a beginning of an id is enough."""
    runs = read_runs(settings.runs_dir)
    found = [run for run in runs if run_id == "latest" or run["run_id"].startswith(run_id)]
    if not found:
        raise ConfigurationError(f"There is no run {run_id!r} in runs/: see `make status`.")
    return found[0]


def _line(run: dict[str, Any]) -> str:
    took = "-"
    if run["finished_at"]:
        ended, began = map(datetime.fromisoformat, (run["finished_at"], run["started_at"]))
        took = f"{(ended - began).total_seconds():.1f} s"
    reason = f"  {run['reason']}" if run["reason"] else ""
    return f"{run['run_id']:24} {run['kind']:8} {run['status']:10} {took:>9}{reason}"


def _show_load(load: dict[str, Any]) -> None:
    click.echo(f"  load     {load['source']} ({', '.join(load['load_ids']) or 'nothing loaded'})")
    for table in sorted(load["loaded"].keys() | load["received"].keys()):
        received, loaded = load["received"].get(table), load["loaded"].get(table, 0)
        came = "nested in another" if received is None else f"{received:,} received"
        bad = load.get("rejected", {}).get(table, 0)  # older records know of none
        out = f" {bad:>8,} rejected" if bad else ""
        click.echo(f"           {table:20} {came:>19} {loaded:>10,} new{out}")


def _show_test(folder: Path, test: dict[str, Any]) -> None:
    click.echo(f"  {test['status']:8} {test['name']}: {test['message'] or ''}")
    query = folder / "failed" / f"{test['name']}.sql"
    if query.exists():
        where = f"runs/{folder.name}/failed/{query.name}"
        click.echo(f"           its rows: .venv/bin/ecluse psql -f {where}")
    if test.get("stored_in"):
        name = test["stored_in"].rpartition(".")[2].strip('"')
        click.echo(f"           until it runs again: .venv/bin/ecluse quarantine show {name}")


def _age(moment: str | None) -> str:
    if not moment:
        return "never"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
