"""The site with dbt's docs, on a port of this machine."""

import os
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from orchestration import dbt, ops
from orchestration.environment import tool_environment
from orchestration.errors import ConfigurationError
from orchestration.settings import Settings
from orchestration.site.writer import site_path, write_site
from orchestration.warehouse import open_warehouse


def make_docs(settings: Settings, port: int | None) -> None:
    """Write the site and dbt's docs of what readers see now, and serve them until Ctrl-C.

    Args:
        settings: which project and warehouse.
        port: where to serve; 0 takes a free one, None only writes the files.

    Raises:
        BuildBroke: dbt could not generate the docs.
        ConfigurationError: the port is taken.
    """
    warehouse = open_warehouse(settings)
    os.environ.update(tool_environment(settings, warehouse))
    folder = site_path(settings)
    with nullcontext() if port is None else take_port(folder, port) as server:
        dbt.generate_docs(settings, settings.root / "logs")
        with warehouse.session() as session:
            ops.create_tables(session)
            write_site(settings, session)
        if server is None:
            click.echo(f"written to {folder / 'index.html'}")
        else:
            serve(server)


def take_port(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of `folder` on loopback, before dbt is asked: a taken port is said at once."""
    handler = partial(_Quiet, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be used ({error.strerror}): name another with "
            "`.venv/bin/ecluse docs --port N`; 0 takes a free one."
        ) from error


def serve(server: ThreadingHTTPServer) -> None:
    """Serve until Ctrl-C."""
    click.echo(f"site: http://127.0.0.1:{server.server_address[1]}/  (Ctrl-C ends)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("ended")


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
