"""Keep dlt at home: it reads and writes nothing outside the folder DLT_DATA_DIR.

dlt writes an anonymous id into `~/.dlt` (or `/var/dlt` for root) also when telemetry is off, and
reads settings and secrets of other projects there. A run must depend on its own folder alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dlt.common.known_env import DLT_DATA_DIR
from dlt.common.runtime.run_context import RunContext, switched_run_context


class HomeContext(RunContext):
    """dlt's run context, whose global folder is the data folder."""

    @property
    def global_dir(self) -> str:
        """DLT_DATA_DIR where that is set, dlt's own choice otherwise."""
        return os.environ.get(DLT_DATA_DIR) or super().global_dir


@contextmanager
def at_home() -> Iterator[None]:
    """Everything dlt does in this block stays at home."""
    with switched_run_context(HomeContext(None)):
        yield
