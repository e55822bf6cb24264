"""The command line of the demo API."""

import errno
from pathlib import Path
from typing import Any

import click

from ingestion.demo_api.page import API_PATH, DESK_PATH, DESK_TOKEN


class Refused(click.ClickException):
    """A request that cannot be met as it stands: one sentence and exit code 2."""

    exit_code = 2


class _WithFaults(click.Command):
    """A command whose help ends with the table of faults."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the grammar and the names of all faults."""
        # Imported here because the help of other commands must not wait for a web framework.
        from ingestion.demo_api import faults

        with formatter.section("Faults"):
            formatter.write_text("NAME[@ENDPOINT][?OPTION=VALUE&...], such as")
            formatter.write_text("'429@orders?page=3&times=2&retry_after=1'")
            formatter.write_text("Options of all: page, times (-1 for ever).")
            formatter.write_dl(faults.describe())


@click.command("demo_api", cls=_WithFaults)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--orders",
    type=click.IntRange(1, 10_000_000),
    metavar="N",
    help="Orders in the first 365 days.  [default: 60_000]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3_650),
    metavar="N",
    help="Days the shop has been open; one more is tomorrow.  [default: 365]",
)
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day it opened.  [default: 2024-09-01]",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="Another seed, another shop.  [default: 0]"
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Serve the six raw_*.csv[.gz] files that jafgen writes.",
)
@click.option(
    "--fault", "faults", multiple=True, metavar="SPEC", help="Break an answer; see below."
)
@click.option("--quiet", is_flag=True, help="Print the URL and log no requests.")
@click.option("--end-with-parent", is_flag=True, hidden=True)
def demo_api(
    host: str, port: int, data: Path | None, faults: tuple[str, ...], quiet: bool,
    end_with_parent: bool, **made_up: Any,
) -> None:  # fmt: skip
    """Serve a small shop that answers like the public Jaffle Shop API, and its help desk.

    The desk is the opposite in all habits: tickets that change in place, paged by a cursor, behind
    a bearer token, which is printed at the start."""
    # Imported here because a help text must not wait for a web framework.
    from ingestion.demo_api import listen
    from ingestion.demo_api.app import create_app

    if end_with_parent:
        listen.end_with_parent()
    set_faults = _faults(faults)
    shop = _shop(data, {name: value for name, value in made_up.items() if value is not None})
    try:
        bound = listen.bind(host, port)
    except OSError as error:
        raise Refused(_cannot_listen(host, port, error)) from error
    url = listen.address(bound)
    click.echo(f"Serving the demo shop at {url}{API_PATH}")
    if not quiet:
        desk = f"Its help desk is at {url}{DESK_PATH}; the token is {DESK_TOKEN}"
        click.echo(f"{shop.about}\n{desk}\nThe API page is {url}/docs. Ctrl-C ends it.")
    try:
        listen.serve(create_app(shop, set_faults), bound, quiet)
    except KeyboardInterrupt:
        click.echo("The demo shop is closed.")


def _faults(specs: tuple[str, ...]) -> Any:
    from ingestion.demo_api.faults import FaultError, Faults

    faults = Faults()
    for spec in specs:
        try:
            faults.add(spec)
        except FaultError as error:
            raise Refused(str(error)) from error
    return faults


def _shop(data: Path | None, made_up: dict[str, Any]) -> Any:
    # Imported here because polars is slow to import and no help text needs it.
    from ingestion.demo_api.files import FilesError, FileShop
    from ingestion.demo_api.generator import GeneratedShop

    if data and made_up:
        options = ", ".join(f"--{name}" for name in made_up)
        raise Refused(f"--data serves the files as they are: leave out {options}.")
    if data:
        try:
            return FileShop(data)
        except FilesError as error:
            raise Refused(str(error)) from error
    if "start" in made_up:
        made_up["start"] = made_up["start"].date()
    try:
        return GeneratedShop(**made_up)
    except OverflowError as error:
        raise Refused("The calendar ends with the year 9999: give an earlier --start.") from error


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: choose another with --port, or 0 for a free one."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than you have: choose one above 1023 with --port."
    return f"Cannot listen on {host}, port {port} ({error.strerror or error}): check --host."
