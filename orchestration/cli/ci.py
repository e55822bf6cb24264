"""The commands of pull requests: ci, clean."""

from pathlib import Path

import click

from orchestration.ci.findings import ALLOWABLE
from orchestration.cli.options import json_option
from orchestration.settings import load_settings


@click.command()
@click.option("--state", type=click.Path(file_okay=False, exists=True, path_type=Path),
              help="A folder with the manifest.json of the live version; by default that of the "
              "run which built it.")  # fmt: skip
@click.option("--report", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the Markdown into this file too.")  # fmt: skip
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True,
              help="How many rows of each kind to name.")  # fmt: skip
@click.option("--allow", type=click.Choice(ALLOWABLE), multiple=True,
              help="Let this through for once: breaking changes, rows over the limits, models "
              "that became slower. May be given again.")  # fmt: skip
@click.option("--no-lint", is_flag=True, help="Leave ruff and sqlfluff out.")
@json_option
def ci(
    state: Path | None, file: Path | None, limit: int, allow: tuple[str, ...], no_lint: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Build what the working tree changes beside the live marts, and say what it would do to them.

    Lint, parse; then the changed models and all downstream, in schemas that are dropped again, on
    the raw rows that the live version was built from; unit tests, data tests, broken promises,
    the rows that differ, the price. Readers and runs notice nothing. Prints Markdown.

    Exit code 1: it does not work; 3: a test fails, a promise is broken, or more rows differ than
    [tool.ecluse.ci] in pyproject.toml allows; 4: a publication came in between.
    """
    from orchestration.ci import run
    from orchestration.ci.job import Options
    from orchestration.console import open_console

    settings = load_settings()
    options = Options(state, limit, not no_lint)
    report, closed = run.run_ci(settings, options, allow, open_console(quiet=as_json))
    text = run.deliver(settings, report, file)
    click.echo(run.as_json(report) if as_json else text)
    if closed:
        raise closed


@click.command()
@click.option("--yes", is_flag=True, help="Do it; otherwise only say what would be done.")
@json_option
def clean(yes: bool, as_json: bool) -> None:
    """Drop what dead runs and CI jobs have left in the warehouse, and half-written files.

    Schemas of CI jobs whose session is gone, of replays, of versions that nobody knows. What is at
    work is left alone, and so is what is kept for a rollback.
    """
    from orchestration.ci.cleaning import clean_up

    clean_up(load_settings(), yes, as_json)


COMMANDS: tuple[click.Command, ...] = (ci, clean)
