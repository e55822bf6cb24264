"""Commands about what readers see: versions, rollback."""

import click

from orchestration.cli.options import json_option, recorded, wait_option
from orchestration.settings import load_settings


@click.command()
@json_option
def versions(as_json: bool) -> None:
    """The versions of the marts that are kept: the live one, and those to roll back to."""
    from orchestration.publication.listing import list_versions

    list_versions(load_settings(), as_json)


@click.command()
@click.option("--to", default="previous", metavar="VERSION",
              help="A number that `ecluse versions` lists; otherwise the version before the live "
              "one.")  # fmt: skip
@click.option("--hold", is_flag=True, help="Let no later run publish over it by itself.")
@wait_option
@json_option
def rollback(to: str, hold: bool, wait: bool, as_json: bool) -> None:
    """Bring an earlier version of the marts back, at once and without a rebuild.

    The next `ecluse run` publishes over it and says so; with --hold it builds and tests, and
    leaves the publishing to `ecluse publish`.
    """
    from orchestration import steps

    recorded("rollback", wait, as_json, lambda run: steps.rollback(run, to, hold))


COMMANDS = (versions, rollback)
