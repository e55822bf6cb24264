"""The run record: `runs/<run_id>/run.json`, written as the run goes, and the `ops` schema.

The file comes first: it is there when Postgres is not. A run killed at any instant leaves a
record that says "running"; whoever next holds the lock knows that run is dead and marks it.
"""

import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError

WAITING = "waiting"  # for the warehouse and for the lock
RUNNING, ABORTED, CANCELLED = "running", "aborted", "cancelled"
CI = "ci"  # the kind of run that publishes nothing and takes no lock
DEAD = "killed: found dead by the next run"
INTERRUPTED = "interrupted"  # why a run, a step or a load ended that somebody stopped
OWN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
PUBLISHED, PASSED, REJECTED, BROKEN = "published", "passed", "rejected", "broken"


@dataclass
class StepRecord:
    """One step. `detail` is the sentence a summary shows for it."""

    step: str
    status: str = "waiting"  # waiting, running, done, failed, skipped
    detail: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retries: list[str] = field(default_factory=list)  # passing faults it was tried again after


@dataclass
class RunRecord:
    """All that is known of a run; `loads` and the lists after it become rows of the ops tables."""

    run_id: str
    kind: str
    status: str = RUNNING
    exit_code: int | None = None
    reason: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: dict[str, str] = field(default_factory=dict)
    warehouse: str | None = None
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    notes: list[str] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    loads: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    tests: list[Any] = field(default_factory=list)
    freshness: list[Any] = field(default_factory=list)
    drifts: list[Any] = field(default_factory=list)
    measured: dict[str, str] = field(default_factory=dict)  # table -> how severe its drift is
    buried: list[str] = field(default_factory=list)  # runs that this one found dead
    published: dict[str, Any] | None = None
    lineage: str | None = None  # which of the graphs in ops.lineage_edges was true then

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()


def new_run_id(now: datetime | None = None) -> str:
    """A UTC stamp that sorts, also within a second: the next three digits are its 4096th parts.

    The last one keeps two runs of one moment apart.
    """
    now = now or datetime.now(UTC)
    part = now.microsecond * 4096 // 1_000_000
    return f"{now:%Y%m%dT%H%M%SZ}-{part:03x}{secrets.randbelow(16):x}"


def to_json(record: RunRecord) -> str:
    """The record as indented JSON; times in ISO 8601."""
    return json.dumps(asdict(record), default=_plain, indent=1)


class RunFolder:
    """`runs/<run_id>/`: the record and the artifacts of one run."""

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        """Name the folder; `save` makes it."""
        self.path = runs_dir / run_id

    def save(self, record: RunRecord) -> None:
        """Write run.json so that a reader sees the old or the new one, never half of it.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_whole(self.path / "run.json", to_json(record))
        except OSError as error:
            raise ConfigurationError(
                f"The run record cannot be written to {self.path}: {error.strerror}. "
                "Make the folder writable, or free some space."
            ) from error


def read_runs(runs_dir: Path, most: int | None = None) -> list[dict[str, Any]]:
    """The records of past runs, newest first; a folder without a readable record is left out."""
    found: list[dict[str, Any]] = []
    for path in sorted(runs_dir.glob("*/run.json"), key=_age_key, reverse=True):
        if most is not None and len(found) >= most:
            break
        if run := read_run(runs_dir, path.parent.name):
            found.append(run)
    return found


def read_run(runs_dir: Path, run_id: str) -> dict[str, Any]:
    """The record of a run; empty when there is none that can be read."""
    try:
        run = json.loads((runs_dir / run_id / "run.json").read_text())
    except (OSError, ValueError):
        return {}
    fits = isinstance(run, dict) and run.get("run_id") == run_id and "status" in run
    return run if fits else {}


def mark_dead_files(
    runs_dir: Path,
    mine: RunRecord,
    known: Collection[str] = (),
    told: Callable[[str], dict[str, Any]] = lambda run_id: {},
    spared: Collection[str] = (),
) -> list[str]:
    """Mark the dead runs as aborted; to be called by the run that holds the lock.

    Under the lock every other run of this warehouse that has no end is dead. A run that waits for
    the lock, or needs none, is dead when its process is. One that died after it had published stays
    so.

    Args:
        runs_dir: where the records are.
        mine: the run that looks; it lives.
        known: ids of runs without an end in ops, on whatever host: each container has one.
        told: what the warehouse knows better than a run's file, which may have been too late.
        spared: ids of runs that stand between two of their stages.

    Returns:
        The ids of the runs found dead.
    """
    dead = []
    for run in read_runs(runs_dir):
        run_id, found = run["run_id"], dict[str, Any]()
        if run_id == mine.run_id or run_id in spared:
            continue
        if _is_dead(run, mine, known):
            status = PUBLISHED if run["status"] == PUBLISHED else ABORTED
            found = {"status": status, "reason": DEAD} | told(run_id)
            dead += [run_id] if found["reason"] == DEAD else []
        elif run_id in known:
            found = told(run_id)
        if found:
            found["published"] = run.get("published") or found.get("published")
            text = json.dumps(run | found, default=_plain, indent=1)
            write_whole(runs_dir / run_id / "run.json", text)
    return dead


def _is_dead(run: dict[str, Any], mine: RunRecord, known: Collection[str]) -> bool:
    ended = run.get("exit_code") is not None or run.get("reason") is not None
    if ended or run["status"] not in {WAITING, RUNNING, PUBLISHED}:
        return False
    if run["status"] == WAITING or run["kind"] == CI:
        alive = run.get("pid") != mine.pid and lives(run.get("pid"))
        return run.get("host") == mine.host and not alive
    same = run.get("host") == mine.host and run.get("warehouse") == mine.warehouse
    return same or run["run_id"] in known


def _age_key(path: Path) -> tuple[str, str]:
    """Our own ids hold the time; a run that was named by somebody else counts from its end."""
    name = path.parent.name
    if OWN_ID.fullmatch(name):
        return name[:15], name
    try:
        ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return "", name
    return f"{ended:%Y%m%dT%H%M%S.%f}", name


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def write_whole(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # on a full disk half a record is only in the way
        raise


def lives(pid: object) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(int(str(pid)), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
