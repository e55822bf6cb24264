"""The command line: arguments in, exit code out, nothing else.

dlt and dbt are imported only by the commands that run them, so `--help` answers at once.
"""

import os
import signal
import sys
from datetime import date
from types import FrameType
from typing import Any

import click

from orchestration import reports
from orchestration.errors import OK, EcluseError, interrupt_code
from orchestration.settings import load_settings

EPILOG = """
Exit codes: 0 published, or nothing to do; 1 the run broke; 2 usage or configuration;
3 the data is bad and was not published; 4 another run is at work; 130 and 143 interrupted.
"""


class Day(click.ParamType):
    """A calendar day as 2026-01-31."""

    name = "DATE"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        """Read the day or say what it should look like."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-01-31", param, ctx)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
wait_option = click.option("--wait", is_flag=True, help="Wait for another run to end.")


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecluse", prog_name="ecluse")
def ecluse() -> None:
    """Écluse loads APIs into Postgres with dlt, builds and tests marts with dbt, and publishes
    them all at once: readers only ever see what passed.
    """


@ecluse.command()
@wait_option
@json_option
def run(wait: bool, as_json: bool) -> None:
    """Ingest, build, test, publish and record: the whole pipe."""
    from orchestration.steps import whole_run

    _run("run", wait, as_json, whole_run)


@ecluse.command()
@click.argument("source", required=False)
@click.option("--from", "since", type=Day(), help="Load again from this day on.")
@click.option("--to", "until", type=Day(), help="... up to and including this day.")
@click.option("--allow-empty", multiple=True, metavar="RESOURCE",
              help="Believe an empty answer: all rows of this snapshot are gone.")  # fmt: skip
@wait_option
@json_option
def ingest(
    source: str | None,
    since: date | None,
    until: date | None,
    allow_empty: tuple[str, ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Load SOURCE (or all) into raw, and nothing else.

    With --from or --to, load those days of the cursor resources again and leave the cursor where
    it is: rows that raw already holds are not doubled.
    """
    from ingestion.registry import SOURCES
    from orchestration import steps
    from orchestration.workflow import Step

    if source and source not in SOURCES:
        raise click.UsageError(f"There is no source {source!r}. Sources: {', '.join(SOURCES)}.")
    if since and until and since > until:
        raise click.UsageError(f"--from {since} lies after --to {until}.")
    names = (source,) if source else tuple(SOURCES)

    def plan(run: Any) -> tuple[Step, ...]:
        from ingestion.resources import Window

        window = Window(since, until) if since or until else None
        return (Step("ingest", lambda: steps.ingest(run, names, window, allow_empty)),)

    _run("ingest", wait, as_json, plan)


@ecluse.command()
@click.option(
    "--last", type=click.IntRange(1), default=10, show_default=True, help="How many runs to show."
)
@json_option
def status(last: int, as_json: bool) -> None:
    """The last runs, and what is fresh."""
    reports.status(load_settings(), last, as_json)


@ecluse.group()
def runs() -> None:
    """What past runs did."""


@runs.command("show")
@click.argument("run_id")
@json_option
def show(run_id: str, as_json: bool) -> None:
    """One run: its steps, loads, failed tests, and where its files are. `latest` is a RUN_ID."""
    reports.show(load_settings(), run_id, as_json)


@ecluse.command()
def env() -> None:
    """Print variables for plain dbt, dlt, psql and notebooks: eval "$(ecluse env)".

    They hold the warehouse's password.
    """
    from orchestration.environment import shell_environment
    from orchestration.warehouse import open_warehouse, shell_exports

    settings = load_settings()
    click.echo(shell_exports(shell_environment(settings, open_warehouse(settings))))


@ecluse.command(context_settings={"ignore_unknown_options": True})
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def psql(args: tuple[str, ...]) -> None:
    """Open psql on the warehouse; ARGS go to psql."""
    from orchestration.terminal import open_psql

    open_psql(load_settings(), args)


@ecluse.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
              help="0 takes any free port.")  # fmt: skip
@click.option("--no-serve", is_flag=True, help="Only write the files.")
def docs(port: int, no_serve: bool) -> None:
    """Write dbt's docs of the published marts and serve them."""
    from orchestration.docs_site import make_docs

    make_docs(load_settings(), None if no_serve else port)


@ecluse.command()
def stop() -> None:
    """Stop the embedded PostgreSQL."""
    from orchestration.embedded import EmbeddedServer

    stopped = EmbeddedServer(load_settings().state_dir).stop()
    click.echo("stopped" if stopped else "it was not running")


@ecluse.command("settings")
def show_settings() -> None:
    """The variables that Écluse reads, and what they mean."""
    from orchestration.settings import VARIABLES

    for name, meaning in VARIABLES.items():
        click.echo(f"{name:32} {meaning}")


@ecluse.command(
    "demo-api",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def demo_api(args: tuple[str, ...]) -> None:
    """Serve the bundled shop API alone, with its OpenAPI page."""
    from ingestion.demo_api.command import demo_api as command

    command.main(list(args), prog_name="ecluse demo-api")


def _run(kind: str, wait: bool, as_json: bool, plan: Any) -> None:
    from orchestration.console import open_console
    from orchestration.records import to_json
    from orchestration.run import new_record, recorded_run
    from orchestration.workflow import execute

    settings = load_settings()
    console = open_console(quiet=as_json)
    record = new_record(settings, kind)
    patience = settings.lock_wait if wait else 0.0
    try:
        with console, recorded_run(settings, kind, console, patience, record) as run:
            execute(plan(run), record, run.changed)
    finally:
        if as_json:
            click.echo(to_json(record))
        elif record.steps:  # a run that never began has its one sentence
            click.echo(reports.summary(record))


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signum)


def main() -> None:
    """Run the command line; what a person can act on is a sentence, not a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        ecluse.main(standalone_mode=False)
        code = OK
    except EcluseError as error:
        click.echo(f"ecluse: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("ecluse: interrupted; readers have the marts that were published last", err=True)
        cause = error.__cause__ if isinstance(error, click.Abort) else error  # click hides it
        sys.stdout.flush()
        sys.stderr.flush()
        # all is recorded; threads that still fetch pages would hold us until their last retry
        os._exit(interrupt_code(cause))
    sys.exit(code)
