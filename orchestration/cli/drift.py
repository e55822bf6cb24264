"""Commands about what is out of the ordinary: drift, drift accept."""

import click

from orchestration.cli.options import Listing, json_option
from orchestration.settings import load_settings


@click.group(cls=Listing)
def drift() -> None:
    """What the last run measured of the tables, and what is out of the ordinary."""


@drift.command("list")
@click.argument("table", required=False)
@json_option
def listed(table: str | None, as_json: bool) -> None:
    """What was measured last, of all tables or of TABLE, with the bands and the open drifts."""
    from orchestration.drift.accepting import list_drift

    list_drift(load_settings(), table, as_json)


@drift.command("accept")
@click.argument("table")
@click.argument("metric", required=False)
def accepted(table: str, metric: str | None) -> None:
    """Take the new level of TABLE (or only of METRIC, such as amount.mean) for the right one."""
    from orchestration.drift.accepting import accept

    accept(load_settings(), table, metric)


COMMANDS = (drift,)
