"""A run in a process of its own, whose progress lines say where it is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any

from tests.newcomer import environment

PHASES = ("start", "ingest", "build", "publish", "collect")
LONGEST = 240.0  # seconds; a run that takes longer hangs


class Hangs(AssertionError):
    """A run that did not end."""


class WatchedRun:
    """`ecluse run`, or another verb, from its first instant on."""

    def __init__(
        self, clone: Path, run_id: str, variables: dict[str, str], verb: str = "run"
    ) -> None:
        """Start it."""
        self.run_id = run_id
        self._file = clone / "runs" / run_id / "run.json"
        self._moved = Condition()
        self._entered = {"start": time.monotonic()}
        self._said: list[str] = []
        self._ended = 0.0
        found = environment(clone, None, {"ECLUSE_RUN_ID": run_id, **variables})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration", verb], cwd=clone, env=found,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr
        self._listener = Thread(target=self._listen, args=(self.process.stderr,), daemon=True)
        self._listener.start()

    @property
    def phase(self) -> str:
        """Where it is, or was at its end."""
        return max(self._entered, key=lambda phase: self._entered[phase])

    @property
    def lives(self) -> bool:
        """Whether it is still at work."""
        return self.process.poll() is None

    def reach(self, phase: str, seconds: float) -> bool:
        """Wait until it is so many seconds into a phase; False when it ended before."""
        phase = "start" if phase == "whole" else phase
        with self._moved:
            there = self._moved.wait_for(lambda: phase in self._entered or self._ended, LONGEST)
            entered = self._entered.get(phase)
        if not there:
            self._hangs()
        if entered is None:
            return False
        time.sleep(max(0.0, entered + seconds - time.monotonic()))
        return self.lives

    def end(self) -> int:
        """Wait for its end; the exit code."""
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self._hangs()
        # a process that outlives the run, such as Python's resource tracker, may hold the pipe
        self._listener.join(10)
        return code

    def durations(self) -> dict[str, float]:
        """Seconds in each phase that it got through, and in the whole if it was left alone."""
        found = [phase for phase in PHASES if phase in self._entered]
        marks = [self._entered[phase] for phase in found]
        whole = [self._ended] if self.process.returncode == 0 else []
        phases = {p: b - a for p, a, b in zip(found, marks, (marks + whole)[1:], strict=False)}
        return phases | ({"whole": self._ended - marks[0]} if whole else {})

    def said(self) -> str:
        """All it wrote to standard error."""
        return "".join(self._said)

    def last_word(self) -> str:
        """The sentence it ended with, if it had one."""
        sentences = re.findall(r"^ecluse: (.*)$", self.said(), re.MULTILINE)
        return sentences[-1] if sentences else ""

    def record(self) -> dict[str, Any]:
        """Its run.json, or nothing when it was killed before it could write one."""
        try:
            found: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            self._said.append(line)
            word = line.split(maxsplit=1)[0] if line.strip() else ""
            if word in PHASES and line.rstrip().endswith("..."):
                with self._moved:
                    self._entered.setdefault(word, time.monotonic())
                    self._moved.notify_all()
        with self._moved:
            self._ended = time.monotonic()
            self._moved.notify_all()

    def kill(self, children_too: bool) -> bool:
        """SIGKILL; returns whether that was its end."""
        os.killpg(self.process.pid, signal.SIGKILL) if children_too else self.process.kill()
        return self.process.wait() < 0

    def _hangs(self) -> None:
        self.process.kill()
        self.process.wait()
        raise Hangs(f"{self.run_id} did not end within {LONGEST:.0f} s. It said:\n{self.said()}")
