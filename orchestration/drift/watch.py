"""After each build: measure, judge against what earlier runs measured, keep, and say."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.drift.detector import ANOMALY, KNOWN, OPEN, Point, Verdict, judge
from orchestration.drift.metrics import LAG, SHARE_OF, Metric, measure
from orchestration.drift.tables import ALERT, BLOCK, Table, read_tables
from orchestration.errors import DataRejected

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.run import Run

HISTORY = Path(__file__).with_name("history.sql").read_text()
RUNS = 100  # how far back it is looked
History = dict[tuple[str, str, str], list[Point]]


@dataclass(frozen=True)
class Judged:
    """A row of ops.metrics: a metric and what it is; `state` is None where it is not judged."""

    table_name: str
    column_name: str
    metric: str
    value: float
    state: str | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None

    def __str__(self) -> str:
        """As a note says it."""
        name = f"{self.column_name}.{self.metric}" if self.column_name else self.metric
        return f"{name} is {number(self.value)}, expected {number(self.low)} to {number(self.high)}"


def watch(run: "Run", artifacts: Path) -> str:
    """Measure the marts in the chamber and what this run has loaded; returns what to add to the
    step's sentence.

    Raises:
        DataRejected: a table whose severity is `block` has drifted.
        ConfigurationError: the YAML's wishes are not understood.
    """
    tables = {table.name: table for table in read_tables(artifacts)}
    at, run_id = run.record.started_at, run.record.run_id
    measured = [metric for table in tables.values() for metric in _measure(run, table)]
    past = _history(run.session, run_id, at)
    judged = [
        _judge(metric, tables[metric.table], past, at) for metric in _with_vanished(measured, past)
    ]
    ops.save_metrics(run.session, run_id, at, judged)
    rows = [asdict(row) for row in judged]
    (run.folder.path / "metrics.json").write_text(json.dumps(rows, indent=1))
    drifted = [row for row in judged if row.state in OPEN]
    run.record.measured = {m.table: tables[m.table].asked.severity for m in measured}
    run.record.drifts = [row for row in rows if row["state"] in OPEN]
    blocked = [said for said in _sentences(run, tables, drifted) if said]
    if blocked:
        raise DataRejected(
            f"{'; '.join(blocked)}. Nothing was published, readers keep the marts they had. If it "
            "is right, `.venv/bin/ecluse drift accept TABLE` and run again"
        )
    return f", {len(drifted)} of {len(judged):,} metrics drift" if drifted else ""


def number(value: float | None) -> str:
    """A number as a person reads it."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004


def _measure(run: "Run", table: Table) -> list[Metric]:
    """Nothing but a note of a table that cannot be read: drift is no reason to stop a build."""
    import psycopg2

    loads = [load for load in run.record.loads if load.dataset == table.schema]
    found = [
        Metric(table.name, "", LAG, seen.age_seconds / 60)
        for seen in run.record.freshness
        if (seen.source, seen.table_name) == (table.source, table.table) and seen.age_seconds
    ]
    if table.source and not loads:
        return found
    ids = [load_id for load in loads for load_id in load.load_ids] if table.source else None
    try:
        with run.session.cursor() as cursor:
            return found + measure(cursor, table, ids)
    except (psycopg2.DataError, psycopg2.ProgrammingError) as error:
        run.note(f"{table.name} could not be measured: {str(error).splitlines()[0]}")
        return found


def _history(session: "connection", run_id: str, at: datetime) -> History:
    past: History = defaultdict(list)
    with session.cursor() as cursor:
        cursor.execute(HISTORY, {"run_id": run_id, "at": at, "runs": RUNS})
        for table, column, metric, *point in cursor.fetchall():
            past[table, column, metric].append(Point(*point))
    return past


def _with_vanished(measured: list[Metric], past: History) -> Iterable[Metric]:
    """The metrics, and a share of 0 for each category of before that a column has no more."""
    yield from measured
    now = {(metric.table, metric.column, metric.metric) for metric in measured}
    columns = {(table, column) for table, column, metric in now if metric.startswith(SHARE_OF)}
    for table, column, metric in past.keys() - now:
        if (table, column) in columns and metric.startswith(SHARE_OF):
            yield Metric(table, column, metric, 0.0)


def _judge(metric: Metric, table: Table, past: History, at: datetime) -> Judged:
    row = (metric.table, metric.column, metric.metric, metric.value)
    asked = table.asked
    if metric.kind is None or asked.ignores(metric.column, metric.metric):
        return Judged(*row)
    if asked.knows(at.date()):
        return Judged(*row, KNOWN)
    history, adopts = past.get(row[:3], []), asked.severity != BLOCK
    verdict: Verdict = judge(history, at, metric.value, metric.kind, asked.sensitivity, adopts)
    return Judged(*row, **asdict(verdict))


def _sentences(run: "Run", tables: dict[str, Table], drifted: list[Judged]) -> Iterable[str]:
    """A note for each table that drifts, its worst metric first; what blocks is given back."""
    for name, table in tables.items():
        rows = [row for row in drifted if row.table_name == name]
        rows.sort(key=lambda row: (row.state != ANOMALY, -abs(row.score or 0)))
        if not rows:
            continue
        still = "" if rows[0].state == ANOMALY else "still "
        more = f" (and {len(rows) - 1} more: `.venv/bin/ecluse drift {name}`)" if rows[1:] else ""
        said = f"{name} {still}drifts: {rows[0]}{more}"
        run.note(f"alert: {said}" if table.asked.severity == ALERT else said)
        yield said if table.asked.severity == BLOCK else ""
