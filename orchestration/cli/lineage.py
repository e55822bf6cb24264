"""Commands about where columns come from and whom a change reaches: lineage, impact."""

import json
import sys

import click

from orchestration.cli.options import json_option
from orchestration.settings import load_settings

UNBROKEN = 400  # characters of a line that goes into a file or a pipe


@click.command()
@click.argument("column")
@click.option("--up", "directions", flag_value="up", help="Only where it comes from.")
@click.option("--down", "directions", flag_value="down", help="Only where it goes.")
@json_option
def lineage(column: str, directions: str | None, as_json: bool) -> None:
    """Where COLUMN comes from, up to the API's JSON, and where it goes, down to the exposures.

    COLUMN is table.column, or schema.table.column where several tables have one name, or a table;
    orders.$.items[].sku is a JSON path of an endpoint. Read from the last run that traced columns.
    """
    from rich.console import Console

    from orchestration.lineage import shown
    from orchestration.lineage.finding import find_column
    from orchestration.lineage.newest import newest_graph

    graph = newest_graph(load_settings().runs_dir)
    place, others = find_column(graph, column)
    wanted = (directions,) if directions else ("up", "down")
    if as_json:
        click.echo(json.dumps(shown.as_json(graph, place, wanted), indent=1))
        return
    width = None if sys.stdout.isatty() else UNBROKEN
    Console(width=width, highlight=False).print(shown.tree_of(graph, place, wanted))
    if others:
        click.echo(f"also: {', '.join(others)}")


@click.command()
@click.option("--base", metavar="REF", help="A git reference to compare with, such as main.")
@click.option("--fail-on-breaking", "fail", is_flag=True,
              help="Exit code 3 when a published column is gone or of another type.")  # fmt: skip
@json_option
def impact(base: str | None, fail: bool, as_json: bool) -> None:
    """Which marts, columns, owners and exposures the working tree's changes reach.

    Compared with what is published, or with --base; column by column, so that a comment, another
    layout or another name of a CTE reaches nothing. Contracts of sources count too.
    """
    from orchestration.impact import show_impact

    show_impact(load_settings(), base, as_json, fail)


COMMANDS: tuple[click.Command, ...] = (lineage, impact)
