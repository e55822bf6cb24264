"""Hand the terminal over to psql."""

import os
import shutil

from orchestration.embedded import binary
from orchestration.environment import tool_environment
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse


def open_psql(settings: Settings, args: tuple[str, ...]) -> None:
    """Replace this process by psql on the warehouse; does not return."""
    warehouse = open_warehouse(settings)
    os.environ.update(tool_environment(settings, warehouse))
    program = shutil.which("psql") if settings.warehouse_url else None
    program = program or binary("psql")
    os.execv(program, ["psql", *args])  # noqa: S606 - an argument list, no shell
