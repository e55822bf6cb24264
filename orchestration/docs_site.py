"""The site with dbt's docs, on a port of this machine."""

import os
from contextlib import nullcontext

import click

from orchestration import dbt, ops
from orchestration.environment import tool_environment
from orchestration.live.server import LOOPBACK, open_server, serve
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
    # a taken port is said at once, before dbt is asked
    opened = nullcontext() if port is None else open_server(settings, LOOPBACK, port, "docs")
    with opened as server:
        dbt.generate_docs(settings, settings.root / "logs")
        with warehouse.session() as session:
            ops.create_tables(session)
            write_site(settings, session)
        if server is None:
            click.echo(f"written to {folder / 'index.html'}")
        else:
            serve(server)
