"""Commands about what is out of the ordinary: drift, drift accept."""

import click

from orchestration.cli.options import json_option
from orchestration.settings import load_settings


class _Listing(click.Group):
    """A group whose `list` need not be written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before what is not one of the commands."""
        first = args[0] if args else ""
        named = first in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group(cls=_Listing)
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
