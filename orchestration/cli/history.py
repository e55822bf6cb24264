"""Commands about the past: replay, diff, compact."""

import json
import sys
from dataclasses import asdict
from datetime import date

import click

from orchestration.cli.options import Day, json_option, recorded, wait_option
from orchestration.settings import load_settings


@click.command()
@click.argument("run_id")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True,
              help="How many rows of each kind to name.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the rebuilt schemas to look into.")
@wait_option
@json_option
def replay(run_id: str, limit: int, keep: bool, wait: bool, as_json: bool) -> None:
    """Rebuild what run RUN_ID published, from its code and the raw rows it saw, and compare.

    RUN_ID may be a version number, `latest`, or the beginning of an id. The rebuilt marts stand in
    schemas of their own; readers notice nothing. Exit code 3: they are not what was published.
    """
    from orchestration import steps

    recorded("replay", wait, as_json, lambda run: steps.replay(run, run_id, limit, keep))


@click.command()
@click.argument("version_a")
@click.argument("version_b")
@click.argument("mart", required=False)
@click.option("--limit", type=click.IntRange(0), default=5, show_default=True,
              help="How many rows to show of each kind.")  # fmt: skip
@json_option
def diff(version_a: str, version_b: str, mart: str | None, limit: int, as_json: bool) -> None:
    """What differs between two versions of the marts, or of one MART.

    A version is a number that `ecluse versions` lists, live, previous, next, or the id of the run
    that built it. Rows are told apart by key: + added, - removed, ~ changed.
    """
    from orchestration.history import version_diff
    from orchestration.warehouse import open_warehouse

    with open_warehouse(load_settings()).session() as session:
        found = version_diff.diff_versions(session, (version_a, version_b), mart, limit)
    lines = [version_diff.as_json(found)] if as_json else version_diff.in_words(found)
    for line in lines:
        click.echo(line)


@click.command()
@click.option("--before", type=Day(), required=True,
              help="Remove what was superseded before this day (UTC).")  # fmt: skip
@click.option("--yes", is_flag=True, help="Remove it without a question.")
@wait_option
@json_option
def compact(before: date, yes: bool, wait: bool, as_json: bool) -> None:
    """Remove raw history that no kept version of the marts needs, for good.

    Shows first what it would remove, and asks. The current rows stay, and so does what each kept
    version was built from; older states can then no longer be rebuilt.
    """
    from orchestration import steps
    from orchestration.history.compactions import in_words
    from orchestration.steps.compact import look

    shown = None if yes else look(load_settings(), before)
    if shown:
        document = json.dumps(asdict(shown), default=str, indent=1)
        click.echo(document if as_json else "\n".join(in_words(shown)))
        if as_json or not _agreed(any(shown.counts.values())):
            return
    recorded("compact", wait, as_json, lambda run: steps.compaction(run, before, shown))


def _agreed(anything: bool) -> bool:
    """Whether somebody at a terminal says yes."""
    if anything and sys.stdin.isatty():
        return click.confirm("Remove these rows for good?")
    click.echo("Nothing was removed: --yes does it." if anything else "There is nothing to remove.")
    return False


COMMANDS: tuple[click.Command, ...] = (replay, diff, compact)
