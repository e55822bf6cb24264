"""Commands about the past: replay, diff, compact."""

import click

from orchestration.cli.options import json_option, recorded, wait_option


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


COMMANDS = (replay,)
