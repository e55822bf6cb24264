"""The scorecard of a mart: which share of the checks on it, and upstream of it, has passed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.incidents.project import Project
from orchestration.records import RunRecord

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

PASSED, WARNED = {"pass", "success"}, {"warn"}
WORST = ("pass", "warn", "runtime error", "error")
SAVE = """
insert into ops.scores (run_id, mart, at, score, checks, tests_passed, tests_run, freshness, drifts)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (run_id, mart) do nothing
"""


@dataclass(frozen=True)
class Score:
    """What a run has found of a mart.

    `score` is 100 x the passed share of its checks, a warning counting half: each test on it or
    upstream, the freshness of each source table, and the drift of each table as one check. A check
    that was skipped has not passed.
    """

    mart: str
    score: float
    checks: int
    tests_passed: int
    tests_run: int
    freshness: str | None
    drifts: int


def scores(record: RunRecord, project: Project) -> Iterator[Score]:
    """Of each mart that a run has tested."""
    if not record.tests:
        return
    known = {seen.source: project.source_tables(seen.source) for seen in record.freshness}
    aged = [(known[seen.source].get(seen.table_name), seen.status) for seen in record.freshness]
    tested = [({t.tested, *project.tested(t.unique_id)}, t.status) for t in record.tests]
    drifting = {row["table_name"] for row in record.drifts}
    looked = [(project.table(name), name in drifting) for name in record.measured]
    for mart in project.marts():
        over = {mart, *project.upstream(mart)}
        tests = [status for about, status in tested if over & about]
        ages = [status for table, status in aged if table in over]
        measured = [drifts for table, drifts in looked if table in over]
        points = [_points(status) for status in (*tests, *ages)] + [1.0 - bad for bad in measured]
        if points:
            yield Score(
                project.mart_name(mart) or "", round(100 * sum(points) / len(points), 2),
                len(points), sum(status in PASSED for status in tests), len(tests),
                max(ages, key=WORST.index, default=None), sum(measured),
            )  # fmt: skip


def save_scores(cursor: "cursor", record: RunRecord, project: Project) -> None:
    """Write them to ops.scores."""
    for row in scores(record, project):
        cursor.execute(SAVE, (
            record.run_id, row.mart, record.started_at, row.score, row.checks, row.tests_passed,
            row.tests_run, row.freshness, row.drifts,
        ))  # fmt: skip


def _points(status: str) -> float:
    return 1.0 if status in PASSED else 0.5 if status in WARNED else 0.0
