"""The shop as a process that can be killed, and started again on the same port."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from orchestration.settings import ROOT

ORDERS = 150_000  # in a year; some 2,400 in the first forty days, a hundred more each day
PATIENCE = 30.0


class Shop:
    """The API, at one loopback port for all its lives."""

    def __init__(self, folder: Path, days: int, orders: int = ORDERS) -> None:
        """Choose a free port; the shop opens with `open` and has been open for `days` by then.

        `folder` keeps the calendar.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._orders, self._calendar = orders, folder / "days"
        self._process: subprocess.Popen[bytes] | None = None
        self.days = days
        self._calendar.write_text(str(days))

    @property
    def url(self) -> str:
        """The base URL of the API, whether or not it answers."""
        return f"http://127.0.0.1:{self._port}/api/v1"

    def open(self) -> None:
        """Serve, if it does not already; returns once it answers."""
        if self._process:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.changing", str(self._port), str(self._orders),
             str(self._calendar)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "the shop did not start: see its words above"
            assert time.monotonic() < deadline, "the shop does not answer"
            time.sleep(0.05)

    def next_day(self) -> None:
        """A day later; whether it is open or not."""
        self.days += 1
        self._calendar.write_text(str(self.days))

    def vanish(self) -> bool:
        """SIGKILL; returns whether it was there."""
        process, self._process = self._process, None
        if process is None:
            return False
        process.kill()
        process.communicate()
        return True

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/row-counts", timeout=5):  # noqa: S310 - our own loopback
                return True
        except OSError:
            return False
