"""The command that walks a row back: trace."""

import json
from dataclasses import asdict

import click

from orchestration.cli.options import json_option
from orchestration.settings import load_settings


@click.command()
@click.argument("mart")
@click.argument("key", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True,
              help="How many rows of each table to show; all are counted.")  # fmt: skip
@click.option("--pii", is_flag=True, help="Show personal data, which takes the right to see it.")
@json_option
def trace(mart: str, key: tuple[str, ...], limit: int, pii: bool, as_json: bool) -> None:
    """Walk the row KEY of MART back to the API's JSON: through the models, to its load, run, page.

    KEY is the value of the mart's unique key; of a key of several columns, one value after the
    other. COLUMN=VALUE, once or more, names rows by any columns.
    """
    from orchestration.tracing.shown import in_words
    from orchestration.tracing.trace import trace as walk_back
    from orchestration.warehouse import open_warehouse

    settings = load_settings()
    with open_warehouse(settings).session() as session:
        found = walk_back(session, settings, mart, key, limit, clear=pii)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str, indent=1))
        return
    for line in in_words(found):
        click.echo(line)


COMMANDS: tuple[click.Command, ...] = (trace,)
