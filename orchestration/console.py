"""What a person sees while a run goes: live bars in a terminal, plain lines in a log."""

import sys
import time
from typing import TextIO

from orchestration.records import RunRecord, StepRecord

EVERY = 5.0  # seconds between two plain lines about the same work


class Console:
    """Plain lines, for logs and pipes; says nothing at all when `quiet`."""

    def __init__(self, quiet: bool = False, out: TextIO | None = None) -> None:
        """Write to `out`, standard error by default: standard output is for results."""
        self._out = out or sys.stderr
        self._quiet = quiet
        self._shown: dict[str, str] = {}
        self._next: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._nodes = 0

    def __enter__(self) -> "Console":
        """Begin to show."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing."""

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            print(text, file=self._out, flush=True)

    def show(self, record: RunRecord) -> None:
        """Show the steps that have changed since the last call."""
        for step in record.steps:
            if self._shown.get(step.step, "waiting") != step.status:
                self._shown[step.step] = step.status
                self.step(step)

    def known(self, record: RunRecord) -> None:
        """What was done by an earlier command need not be shown again."""
        self._shown = {step.step: step.status for step in record.steps}

    def step(self, step: StepRecord) -> None:
        """A step has begun, ended, failed or was skipped."""
        if step.status == "running":
            self.say(f"{step.step:8} ...")
        elif step.status == "done":
            self.say(f"{step.step:8} {step.detail} ({duration(step):.1f} s)")
        elif step.status == "failed":
            self.say(f"{step.step:8} FAILED after {duration(step):.1f} s")

    def watch(self, stage: str, name: str, done: int, of: int | None) -> None:
        """Progress of a load, as `ingestion.progress.Watch` tells it."""
        key = f"{stage} {name}"
        now = time.monotonic()
        began = self._began.setdefault(key, now)
        if name.startswith("fault"):
            self.say(f"         {name}")
        elif stage == "extract" and now >= self._next.setdefault(key, now + EVERY):
            self._next[key] = now + EVERY
            self.say(f"         {name}: {_speed(done, of, now - began)}")

    def node(self, unique_id: str, status: str, seconds: float) -> None:
        """A dbt node has started or ended."""
        if status == "started":
            return
        self._nodes += 1
        if status in {"error", "fail", "warn", "runtime error"}:
            self.say(f"         {status}: {short(unique_id)} ({seconds:.1f} s)")


class LiveConsole(Console):
    """Bars that move, in a terminal."""

    def __init__(self) -> None:
        """Draw on standard error."""
        super().__init__()
        from rich.console import Console as Screen
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=Screen(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, object] = {}
        self._running = ""

    def __enter__(self) -> "LiveConsole":
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False)

    def step(self, step: StepRecord) -> None:
        """Bars belong to a step and go with it."""
        for task in self._tasks.values():
            self._progress.remove_task(task)  # type: ignore[arg-type]
        self._tasks.clear()
        if step.status == "running":
            self._running = step.step
            self._tasks["step"] = self._progress.add_task(step.step, total=None, rate="")
        else:
            super().step(step)

    def watch(self, stage: str, name: str, done: int, of: int | None) -> None:
        """A bar for each resource, then one for the load files."""
        key = f"{stage} {name}"
        now = time.monotonic()
        began = self._began.setdefault(key, now)
        if name.startswith("fault"):
            self.say(f"         {name}")
        elif stage == "extract":
            self._bar(f"  {key}", done, None, _speed(done, of, now - began))
        else:
            self._bar(f"  {key}", done, of, "")

    def node(self, unique_id: str, status: str, seconds: float) -> None:
        """Count the nodes and name the one at work."""
        super().node(unique_id, status, seconds)
        if status == "started":
            self._bar(f"  {self._running}", self._nodes, None, short(unique_id)[:50])

    def _bar(self, label: str, done: int, total: int | None, rate: str) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total, rate=rate)
        task = self._tasks[label]
        of = f"{done:,} of {total:,}" if total else ""
        text = rate or of or f"{done:,}"
        self._progress.update(task, completed=done, total=total, rate=text)  # type: ignore[arg-type]


def _speed(rows: int, pages: int | None, seconds: float) -> str:
    return f"{rows:,} rows, {pages or 0:,} pages, {rows / max(seconds, 0.1):,.0f} rows/s"


def open_console(quiet: bool) -> Console:
    """Live in a terminal, plain otherwise, silent when asked."""
    if quiet or not sys.stderr.isatty():
        return Console(quiet=quiet)
    return LiveConsole()


def duration(step: StepRecord) -> float:
    """Seconds that a step took; 0 while it has no end."""
    if step.started_at is None or step.finished_at is None:
        return 0.0
    return (step.finished_at - step.started_at).total_seconds()


def short(unique_id: str) -> str:
    """A dbt node's name without its project."""
    return unique_id.split(".")[2] if unique_id.count(".") > 1 else unique_id
