"""The page of one run, and the list of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from orchestration.site.facts import Facts, Row, read_json
from orchestration.site.failed import FailedTest, read_failed
from orchestration.site.timeline import Timeline, timeline
from orchestration.site.words import moment

EARLIER = 10  # runs that say what is usual


@dataclass(frozen=True)
class Listed:
    """A run in the list; `has_page` is false for what is older than the pages go."""

    run_id: str
    kind: str
    status: str
    reason: str
    started: datetime | None
    seconds: float | None
    commit: str
    has_page: bool
    share: float  # of the longest in the list, in thousandths


@dataclass(frozen=True)
class LoadedTable:
    """What came of one table."""

    name: str
    endpoint: str
    received: int | None
    loaded: int
    rejected: int


@dataclass(frozen=True)
class RunPage:
    """One run."""

    run: Row
    started: datetime | None
    seconds: float | None
    usual: float | None
    timeline: Timeline
    failed: list[FailedTest]
    loads: list[LoadedTable]
    tests: dict[str, int]  # outcome to number
    published: list[tuple[str, int | None, int | None]]  # mart, rows, rows of the version before
    older: str | None
    newer: str | None


def run_page(facts: Facts, run: Row, folder: Path) -> RunPage:
    """What the page of this run shows; `folder` has its files."""
    at = facts.runs.index(run)
    earlier = [old for old in facts.runs[at + 1 :] if old["kind"] == run["kind"]][:EARLIER]
    parents = read_json(folder / "dbt" / "manifest.json").get("parent_map", {})
    took = [seconds for old in earlier if old["status"] == "published" and (seconds := length(old))]
    return RunPage(
        run, moment(run["started_at"]), length(run), median(took) if took else None,
        timeline(run, folder, parents, earlier), read_failed(run, folder, parents),
        loaded_tables(run),
        count_tests(run), _published(facts, run),
        facts.runs[at + 1]["run_id"] if at + 1 < len(facts.runs) else None,
        facts.runs[at - 1]["run_id"] if at else None,
    )  # fmt: skip


def listed(facts: Facts) -> list[Listed]:
    """Every run that is known, newest first."""
    paged = {run["run_id"] for run in facts.runs}
    rows: Sequence[Row] = facts.listed or facts.runs
    unlisted = [run for run in facts.runs if run["run_id"] not in {row["run_id"] for row in rows}]
    every = sorted([*rows, *unlisted], key=lambda run: str(moment(run["started_at"])), reverse=True)
    longest = max((length(run) or 0 for run in every), default=0) or 1
    return [
        Listed(
            run["run_id"], run["kind"], run["status"], run["reason"] or "",
            moment(run["started_at"]), length(run), (run["git_commit"] or "")[:7],
            run["run_id"] in paged, round((length(run) or 0) / longest * 1000),
        )
        for run in every
    ]  # fmt: skip


def length(run: Row) -> float | None:
    """The seconds of a run that has ended."""
    began, ended = moment(run["started_at"]), moment(run["finished_at"])
    return (ended - began).total_seconds() if began and ended else None


def loaded_tables(run: Row) -> list[LoadedTable]:
    """What the loads of a run brought, table by table."""
    found = []
    for load in run.get("loads", []):
        rejected = load.get("rejected", {})
        for table in sorted({*load["loaded"], *load["received"], *rejected}):
            endpoint = (load.get("endpoints") or {}).get(table) or ""
            found.append(
                LoadedTable(
                    f"{load['source']}.{table}", endpoint, load["received"].get(table),
                    load["loaded"].get(table, 0), rejected.get(table, 0),
                )
            )  # fmt: skip
    return found


def count_tests(run: Row) -> dict[str, int]:
    """How many tests ended how, best first."""
    groups = {"passed": {"pass", "success"}, "warned": {"warn"}, "failed": {"fail", "error"},
              "skipped": {"skipped"}}  # fmt: skip
    tests = [test["status"] for test in run.get("tests", [])]
    return {name: sum(status in those for status in tests) for name, those in groups.items()}


def _published(facts: Facts, run: Row) -> list[tuple[str, int | None, int | None]]:
    published = run.get("published") or {}
    version = published.get("version")
    rows = facts.version_rows.get(version, {}) if version else {}
    before = facts.version_rows.get(version - 1, {}) if version else {}
    return [(mart, rows.get(mart), before.get(mart)) for mart in published.get("tables", [])]
