"""dbt's docs of the published marts, on a port of this machine."""

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from orchestration import dbt
from orchestration.environment import tool_environment
from orchestration.errors import BuildBroke, ConfigurationError
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse


def make_docs(settings: Settings, port: int | None) -> None:
    """Generate the docs of what readers see now, and serve them until Ctrl-C.

    Args:
        settings: which project and warehouse.
        port: where to serve; 0 takes a free one, None only writes the files.

    Raises:
        BuildBroke: dbt could not generate the docs.
        ConfigurationError: the port is taken.
    """
    warehouse = open_warehouse(settings)
    os.environ.update(tool_environment(settings, warehouse))
    outcome = dbt.run_dbt(dbt.docs_args(settings, settings.root / "logs"))
    if not outcome.success:
        raise BuildBroke(f"dbt docs generate failed: {'; '.join(outcome.said[:2])}")
    if port is None:
        click.echo(f"written to {settings.root / 'target' / 'index.html'}")
        return
    serve(settings.root / "target", port)


def serve(folder: Path, port: int) -> None:
    """Serve `folder` on loopback until Ctrl-C."""
    handler = partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be used ({error.strerror}): choose another with --port, or 0."
        ) from error
    with server:
        click.echo(f"dbt docs: http://127.0.0.1:{server.server_address[1]}/  (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
