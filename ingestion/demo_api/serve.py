"""The demo API as a child process, for as long as a `with` block runs."""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import IO, cast
from urllib.request import ProxyHandler, build_opener

from ingestion.demo_api.page import API_PATH, DESK_PATH

_ROOT = Path(__file__).parents[2]
_LAST_LINES = 20
_SECONDS_TO_LEAVE = 5


class DemoApiError(Exception):
    """The demo API did not start; the message holds its last words."""


@contextmanager
def running(
    *,
    orders: int | None = None,
    days: int | None = None,
    start: date | None = None,
    seed: int | None = None,
    data: Path | None = None,
    faults: Sequence[str] = (),
    wait: float = 20.0,
) -> Iterator[str]:
    """Serve on a free loopback port and yield the base URL, such as http://127.0.0.1:4711/api/v1.

    What is None is left to the command's own defaults. Raises DemoApiError when the server does not
    answer within `wait` seconds. The child ends with the block, or with this process however it
    dies.
    """
    options = {"orders": orders, "days": days, "start": start, "seed": seed, "data": data}
    child = _Child(command(options, faults))
    try:
        yield child.url(wait)
    finally:
        child.stop()


def desk_url(url: str) -> str:
    """Return where the help desk is, given the base URL of its shop."""
    return url.removesuffix(API_PATH) + DESK_PATH


def command(options: Mapping[str, object], faults: Sequence[str] = ()) -> list[str]:
    """Build the argument list of the child; options that are None are left out."""
    argv = [sys.executable, "-m", "ingestion.demo_api", "--port=0", "--quiet", "--end-with-parent"]
    argv += [f"--{name}={value}" for name, value in options.items() if value is not None]
    return argv + [f"--fault={spec}" for spec in faults]


class _Child:
    """The server process and the last lines it wrote."""

    def __init__(self, argv: list[str]) -> None:
        paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
        )
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._url = ""
        self._spoke = Event()
        Thread(target=self._listen, daemon=True).start()

    def url(self, wait: float) -> str:
        """Return the base URL once the server answers there."""
        until = time.monotonic() + wait
        self._spoke.wait(wait)
        while self._url and time.monotonic() < until:
            if _answers(self._url, max(0.1, until - time.monotonic())):
                return self._url
            time.sleep(0.02)
        if self._spoke.is_set() and not self._url:  # its output has ended, and so will it
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS_TO_LEAVE)
        code = self._process.poll()
        what = f"did not answer within {wait:g} s" if code is None else f"ended with code {code}"
        words = "\n".join(self._lines) or "nothing"
        raise DemoApiError(f"The demo API {what}. It said: {words}")

    def stop(self) -> None:
        """End the child and wait for its end."""
        cast(IO[str], self._process.stdin).close()
        try:
            self._process.wait(_SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        # Reads to the end, so that a talkative child never waits for a full pipe.
        with cast(IO[str], self._process.stdout) as output:
            for line in output:
                self._lines.append(line.rstrip())
                found = re.search(r"http://\S+", line)
                if found and not self._url:
                    self._url = found.group()
                    self._spoke.set()
        self._spoke.set()


def _answers(url: str, timeout: float) -> bool:
    # No proxy: a proxy in the environment has nothing to say about loopback.
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/row-counts", timeout=timeout):
            return True
    except OSError:
        return False
