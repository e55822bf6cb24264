"""Runs as processes of their own: no leak or crash of one takes the scheduler down."""

import os
import subprocess
import sys

from orchestration.settings import Settings

SECRET = "ECLUSE_TRIGGER_SECRET"  # noqa: S105 - its name; no run needs it


class RunProcess:
    """`ecluse run` under an id; what it prints goes where the scheduler's own words go."""

    def __init__(self, settings: Settings, run_id: str, wait: bool) -> None:
        """Start it.

        In a session of its own: a Ctrl-C meant for the scheduler does not reach the run.
        """
        environment = {name: value for name, value in os.environ.items() if name != SECRET}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration", "run", *(["--wait"] if wait else [])],
            cwd=settings.root, env=environment | {"ECLUSE_RUN_ID": run_id},
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def poll(self) -> int | None:
        """Its exit code; negative, the signal that killed it; None while it goes."""
        return self.process.poll()

    def interrupt(self) -> None:
        """SIGTERM: it cancels its statements and keeps its record."""
        self.process.terminate()
