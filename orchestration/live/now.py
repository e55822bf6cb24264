"""The run that goes on now, or the newest that has ended, as the live page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from statistics import median

from orchestration.console import short
from orchestration.live.progress import FILE, NodeNow, Progress, Resource, read_progress
from orchestration.records import WAITING, lives, read_runs
from orchestration.settings import Settings
from orchestration.site.facts import EMPTY, Row
from orchestration.site.pages import path_of_run
from orchestration.site.run_page import LoadedTable, length, loaded_tables
from orchestration.site.timeline import Bar, Timeline, timeline
from orchestration.site.words import BUSY, count, moment, plural, tone
from orchestration.site.writer import site_path

LOOKED = 12  # newest records: the run, and earlier ones that tell what is usual
SILENT = timedelta(minutes=15)  # after which a run on another machine counts as dead


@dataclass(frozen=True)
class Now:
    """What the page shows. `done` counts dbt's nodes, `usual_nodes` those of the run before."""

    run: Row
    going: bool
    started: datetime | None
    seconds: float
    usual: float | None
    step: str
    done: int
    busy: int
    usual_nodes: int
    timeline: Timeline
    loads: list[LoadedTable]
    faults: list[str]
    page: str | None  # of the run that has ended, where the site has it

    @property
    def head(self) -> str:
        """The state of the run in a word or two."""
        status = str(self.run["status"])
        if not self.going:
            return status.capitalize()
        return "Waiting for the warehouse" if status == WAITING else f"Running: {self.step}"

    @property
    def tone(self) -> str:
        """The tone of its state."""
        return BUSY if self.going else tone(self.run["status"])


def look(settings: Settings, now: datetime | None = None) -> Now | None:
    """The run that goes on, whichever process runs it; else the newest; None before the first."""
    now = now or datetime.now(UTC)
    runs = [EMPTY | run for run in read_runs(settings.runs_dir, LOOKED)]
    going = [run for run in runs if is_going(run, settings.runs_dir / run["run_id"], now)]
    at_work = [run for run in going if run["status"] != WAITING]
    for run in (*at_work, *going, *runs):
        earlier = [old for old in runs if old["kind"] == run["kind"] and old["finished_at"]]
        return _view(settings, run, run in going, [old for old in earlier if old is not run], now)
    return None


def is_going(run: Row, folder: Path, now: datetime) -> bool:
    """Whether a run without an end is at work still: its process is there, or its files change."""
    if run["finished_at"] or run["exit_code"] is not None or run["reason"]:
        return False
    if run["host"] == gethostname():
        return lives(run["pid"])
    changed = max(mtime(folder / FILE), mtime(folder / "run.json"))
    return now.timestamp() - changed < SILENT.total_seconds()


def mtime(path: Path) -> float:
    """When a file was last written, in seconds; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _view(settings: Settings, run: Row, going: bool, earlier: Sequence[Row], now: datetime) -> Now:
    folder = settings.runs_dir / run["run_id"]
    progress = read_progress(folder) if going or not run["finished_at"] else Progress()
    nodes = run["nodes"] or [_row(node, now) for node in progress.nodes.values()]
    until = now if going else moment(run["finished_at"])
    shown = run | {"nodes": nodes, "finished_at": until}
    loading = [_loading(resource) for resource in progress.resources.values()]
    bars = timeline(shown, folder, {}, earlier, loading)
    took = [s for old in earlier if old["status"] == "published" and (s := length(old))]
    path = path_of_run(run)
    return Now(
        run, going, moment(run["started_at"]), length(shown) or 0.0,
        median(took) if took else None,
        next((step["step"] for step in run["steps"] if step["status"] == "running"), "begins"),
        sum(node["status"] != "running" for node in nodes),
        sum(node["status"] == "running" for node in nodes),
        next((len(old["nodes"]) for old in earlier if old["nodes"]), 0),
        replace(bars, bars=tuple(_growing(bar, now if going else None) for bar in bars.bars)),
        loaded_tables(run), progress.faults,
        path if not going and (site_path(settings) / path).exists() else None,
    )  # fmt: skip


def _growing(bar: Bar, now: datetime | None) -> Bar:
    """A bar at work ends now; which chain is critical is known at the end only."""
    bar = replace(bar, critical=False)
    if now is None or bar.end or bar.start is None:
        return bar
    return replace(bar, end=now, seconds=(now - bar.start).total_seconds())


def _loading(resource: Resource) -> Bar:
    rows = f"{resource.name}: {count(resource.rows)} rows, {plural(resource.pages, 'page')}"
    seconds = (resource.last - resource.began).total_seconds()
    return Bar(f"resource.{resource.name}", rows, "stage", "received",
               resource.began, resource.last, seconds)  # fmt: skip


def _row(node: NodeNow, now: datetime) -> Row:
    """As `nodes` of a record has it. A unit test's id names the model before the test."""
    kind, *_, last = node.unique_id.split(".")
    return {
        "unique_id": node.unique_id, "status": node.status, "resource_type": kind, "message": None,
        "name": last if kind == "unit_test" else short(node.unique_id),
        "started_at": node.began, "finished_at": node.ended,
        "seconds": ((node.ended or now) - node.began).total_seconds(),
    }  # fmt: skip
