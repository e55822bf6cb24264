"""Commands to look around with: status, runs, env, psql, docs, serve, demo-api, stop, settings."""

import click

from orchestration import reports
from orchestration.cli.options import json_option
from orchestration.settings import load_settings


@click.command()
@click.option(
    "--last", type=click.IntRange(1), default=10, show_default=True, help="How many runs to show."
)
@json_option
def status(last: int, as_json: bool) -> None:
    """The last runs, and what is fresh."""
    reports.status(load_settings(), last, as_json)


@click.group()
def runs() -> None:
    """What past runs did."""


@runs.command("show")
@click.argument("run_id")
@json_option
def show(run_id: str, as_json: bool) -> None:
    """One run: its steps, loads, failed tests, and where its files are. `latest` is a RUN_ID."""
    reports.show(load_settings(), run_id, as_json)


@click.command()
def env() -> None:
    """Print variables for plain dbt, dlt, psql and notebooks: eval "$(ecluse env)".

    They hold the warehouse's password.
    """
    from orchestration.environment import shell_environment
    from orchestration.warehouse import open_warehouse, shell_exports

    settings = load_settings()
    click.echo(shell_exports(shell_environment(settings, open_warehouse(settings))))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def psql(args: tuple[str, ...]) -> None:
    """Open psql on the warehouse; ARGS go to psql."""
    from orchestration.terminal import open_psql

    open_psql(load_settings(), args)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
              help="0 takes any free port.")  # fmt: skip
@click.option("--no-serve", is_flag=True, help="Only write the files.")
def docs(port: int, no_serve: bool) -> None:
    """Write the site and dbt's docs, and serve both; site/index.html opens without a server too."""
    from orchestration.docs_site import make_docs

    make_docs(load_settings(), None if no_serve else port)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
              help="0 takes any free port.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True,
              help="The address to bind to. There is no login: beyond this machine put a proxy "
              "that asks who is there before it.")  # fmt: skip
def serve(port: int, host: str) -> None:
    """Serve the site, each run live while it goes (/live), and Prometheus metrics (/metrics).

    Shows runs of any process that writes its record here, such as cron's. Starts nothing else.
    """
    from orchestration.live.server import open_server
    from orchestration.live.server import serve as serve_until_stopped

    serve_until_stopped(open_server(load_settings(), host, port, "serve"))


@click.command()
def stop() -> None:
    """Stop the embedded PostgreSQL."""
    from orchestration.embedded import EmbeddedServer

    stopped = EmbeddedServer(load_settings().state_dir).stop()
    click.echo("stopped" if stopped else "it was not running")


@click.command("settings")
def show_settings() -> None:
    """The variables that Écluse reads, and what they mean."""
    from orchestration.settings import VARIABLES

    for name, meaning in VARIABLES.items():
        click.echo(f"{name:34} {meaning}")


@click.command(
    "demo-api",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def demo_api(args: tuple[str, ...]) -> None:
    """Serve the bundled shop API alone, with its OpenAPI page."""
    from ingestion.demo_api.command import demo_api as command

    command.main(list(args), prog_name="ecluse demo-api")


COMMANDS = (status, runs, env, psql, docs, serve, stop, show_settings, demo_api)
