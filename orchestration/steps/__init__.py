"""The steps of a run and the orders in which they make one. Each says in a sentence what it did."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.steps.build import build, deploy
from orchestration.steps.collect import collect
from orchestration.steps.compact import Plan, compact
from orchestration.steps.ingest import ingest
from orchestration.steps.publish import publish_marts, roll_back
from orchestration.steps.quarantine import replay_rejected
from orchestration.workflow import Step

if TYPE_CHECKING:
    from ingestion.intake import Window
    from orchestration.run import Run


def whole_run(run: "Run") -> tuple[Step, ...]:
    """Ingest every source, build, publish, collect."""
    from ingestion.registry import SOURCES

    return (
        Step("ingest", partial(ingest, run, tuple(SOURCES))),
        Step("build", partial(build, run)),
        *_published_and_collected(run),
    )


def ingest_only(
    run: "Run", sources: tuple[str, ...], window: "Window | None", allow_empty: tuple[str, ...]
) -> tuple[Step, ...]:
    """Load, and nothing else."""
    return (Step("ingest", partial(ingest, run, sources, window, allow_empty)),)


def deployment(run: "Run", full: bool) -> tuple[Step, ...]:
    """Build what the code changes, on the data that readers have, and publish it."""
    return (Step("build", partial(deploy, run, full)), *_published_and_collected(run))


def publication(run: "Run", built_by: str) -> tuple[Step, ...]:
    """Publish what another run has built and tested."""
    return _published_and_collected(run, built_by)


def rollback(run: "Run", to: str, hold: bool) -> tuple[Step, ...]:
    """Bring a kept version back."""
    return (Step("rollback", partial(roll_back, run, to, hold)),)


def replay(run: "Run", name: str, limit: int, keep: bool) -> tuple[Step, ...]:
    """Rebuild a version that was published and hold it against what was."""
    from orchestration.history.replay import Replay

    again = Replay(run, name, limit, keep)
    return (
        Step("rebuild", again.rebuild),
        Step("compare", again.compare),
        Step("clean", again.clean, always=True),
    )


def compaction(run: "Run", before: date, shown: Plan | None) -> tuple[Step, ...]:
    """Remove raw history that no kept version needs."""
    return (Step("compact", partial(compact, run, before, shown)),)


def replay_quarantine(run: "Run", table: str | None, fixed: Path | None) -> tuple[Step, ...]:
    """Send rows of the quarantine through the door again."""
    return (Step("replay", partial(replay_rejected, run, table, fixed)),)


def _published_and_collected(run: "Run", built_by: str | None = None) -> tuple[Step, ...]:
    return (
        Step("publish", partial(publish_marts, run, built_by)),
        Step("collect", partial(collect, run), always=True),
    )
