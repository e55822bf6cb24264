"""Commands about the past: replay, diff, compact."""

import click

from orchestration.cli.options import json_option, recorded, wait_option
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


COMMANDS = (replay, diff)
