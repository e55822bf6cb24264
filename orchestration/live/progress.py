"""What a run is at, for whoever looks from another process: `runs/<run_id>/progress.jsonl`.

The record is written when a step begins or ends; between that, a line here for each dbt node that
starts or ends, and one a second for each resource. When the record is whole, the file goes; a run
that was killed leaves it, and so where it was.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.console import Console
from orchestration.records import RunRecord, StepRecord

FILE = "progress.jsonl"
EVERY = 1.0  # seconds between two lines about the same resource


class Followed(Console):
    """A console whose progress is kept in a file too. A full disk costs lines, never the run."""

    def __init__(self, console: Console, folder: Path) -> None:
        """Show on `console`, keep in the run's `folder`."""
        self._console, self._path = console, folder / FILE
        self._waiting: dict[str, str] = {}
        self._next: dict[str, float] = {}

    def say(self, text: str) -> None:
        """One line."""
        self._console.say(text)

    def show(self, record: RunRecord) -> None:
        """Show the steps that have changed since the last call."""
        self._flush()
        self._console.show(record)

    def known(self, record: RunRecord) -> None:
        """What was done by an earlier command need not be shown again."""
        self._console.known(record)

    def step(self, step: StepRecord) -> None:
        """A step has begun, ended, failed or was skipped."""
        self._console.step(step)

    def watch(self, stage: str, name: str, done: int, of: int | None) -> None:
        """Progress of a load."""
        self._console.watch(stage, name, done, of)
        now = time.monotonic()
        if stage != "extract":
            self._flush()
        elif name.startswith("fault"):
            self._keep(_line(fault=name.removeprefix("fault: ")))
        else:
            self._waiting[name] = _line(resource=name, rows=done, pages=of or 0)
            if now >= self._next.get(name, 0):
                self._next[name] = now + EVERY
                self._keep(self._waiting.pop(name))

    def node(self, unique_id: str, status: str, seconds: float) -> None:
        """A dbt node has started or ended."""
        self._console.node(unique_id, status, seconds)
        self._keep(_line(node=unique_id, status=status, seconds=seconds))

    def _flush(self) -> None:
        lines = [self._waiting.pop(key) for key in tuple(self._waiting)]
        self._keep("".join(lines))

    def _keep(self, lines: str) -> None:
        # dbt calls from several threads: one write to the end of a file does not tear
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            to = os.open(self._path, flags, 0o666)
            try:
                os.write(to, lines.encode())
            finally:
                os.close(to)


@dataclass
class Resource:
    """What has come of one resource so far."""

    name: str
    began: datetime
    last: datetime
    rows: int = 0
    pages: int = 0


@dataclass
class NodeNow:
    """What has become of a dbt node; `ended` is None while it is at work."""

    unique_id: str
    status: str
    began: datetime
    ended: datetime | None = None


@dataclass
class Progress:
    """The file, read."""

    resources: dict[str, Resource] = field(default_factory=dict)
    nodes: dict[str, NodeNow] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_progress(folder: Path) -> Progress:
    """What the run whose folder this is has told so far; a line that is cut off is left out."""
    found = Progress()
    try:
        lines = (folder / FILE).read_text().splitlines()
    except OSError:
        return found
    for text in lines:
        with suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            _take(found, line, datetime.fromisoformat(line["at"]))
    return found


def forget_progress(folder: Path) -> None:
    """Remove the file: the record says it all."""
    with suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)


def _take(found: Progress, line: dict[str, Any], at: datetime) -> None:
    if node := line.get("node"):
        name, status = str(node), str(line["status"])
        began = found.nodes[name].began if name in found.nodes else at
        if status == "started":
            found.nodes[name] = NodeNow(name, "running", at)
        else:
            found.nodes[name] = NodeNow(name, status, began, at)
    elif fault := line.get("fault"):
        found.faults.append(str(fault))
    else:
        name = str(line["resource"])
        resource = found.resources.setdefault(name, Resource(name, at, at))
        resource.last, resource.rows, resource.pages = at, line["rows"], line["pages"]


def _line(**what: object) -> str:
    return json.dumps({"at": datetime.now(UTC).isoformat(), **what}) + "\n"
