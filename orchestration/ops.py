"""The run record in the warehouse: the tables of ops.sql, written and read in plain SQL."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.records import ABORTED, DEAD, PUBLISHED, RUNNING, RunRecord

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

DDL = Path(__file__).with_name("ops.sql")
RUN_COLUMNS = (
    "run_id", "kind", "status", "exit_code", "reason", "started_at", "finished_at",
    "git_commit", "git_dirty", "host", "pid", "lineage",
)  # fmt: skip


def create_tables(session: "connection") -> None:
    """Create what is missing; several may do so at once.

    The comment on the schema says which ops.sql made it.
    """
    ddl = DDL.read_text()
    made = f"Écluse: what every run did, as by {hashlib.sha256(ddl.encode()).hexdigest()[:12]}"
    with session.cursor() as cursor:
        cursor.execute("select obj_description(to_regnamespace('ops'), 'pg_namespace')")
        if cursor.fetchone() != (made,):
            cursor.execute("begin; select pg_advisory_xact_lock(7363531)")
            cursor.execute(ddl)
            cursor.execute("comment on schema ops is %s", (made,))
            cursor.execute("commit")


@contextmanager
def transaction(session: "connection") -> Iterator["cursor"]:
    """A transaction on an autocommit session: committed at the end, rolled back on an error."""
    import psycopg2

    with session.cursor() as cursor:
        cursor.execute("begin")
        try:
            yield cursor
            cursor.execute("commit")
        except BaseException:
            with suppress(psycopg2.Error):
                cursor.execute("rollback")
            raise


def rows_of(cursor: "cursor") -> list[dict[str, Any]]:
    """The rows of the query that was executed last: column to value."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def save_run(session: "connection", record: RunRecord) -> None:
    """Insert the run or bring it up to date, its steps too."""
    run = {name: getattr(record, name) for name in RUN_COLUMNS}
    run["versions"] = json.dumps(record.versions)
    _upsert(session, "ops.runs", [run], ("run_id",))
    steps = [
        {"run_id": record.run_id, "position": position, **asdict(step)}
        for position, step in enumerate(record.steps, start=1)
    ]
    _upsert(session, "ops.steps", steps, ("run_id", "position"))


def save_details(session: "connection", record: RunRecord) -> None:
    """Write what the steps found: loads, nodes, test results, freshness."""
    run = {"run_id": record.run_id}
    loads = [
        {
            **run,
            **{name: getattr(load, name) for name in ("source", "dataset", "load_ids")},
            **{name: getattr(load, name) for name in ("schema_hash", "error", "changes", "warned")},
            **{name: getattr(load, name) for name in ("started_at", "finished_at")},
            "retries": len(load.retries),
        }
        for load in record.loads
    ]
    _upsert(session, "ops.loads", loads, ("run_id", "source"))
    tables = [{**run, **row} for load in record.loads for row in load_table_rows(load)]
    _upsert(session, "ops.load_tables", tables, ("run_id", "source", "table_name"))
    _upsert(session, "ops.nodes", _rows(run, record.nodes), ("run_id", "unique_id"))
    _upsert(session, "ops.test_results", _rows(run, record.tests), ("run_id", "unique_id"))
    keys = ("run_id", "source", "table_name")
    _upsert(session, "ops.freshness", _rows(run, record.freshness), keys)


def save_metrics(session: "connection", run_id: str, at: datetime, judged: Iterable[Any]) -> None:
    """Write what a run measured of its tables, each metric with its verdict."""
    rows = _rows({"run_id": run_id}, judged)
    keys = ("run_id", "table_name", "column_name", "metric")
    _upsert(session, "ops.metrics", [{**row, "at": at} for row in rows], keys)


def save_lineage(session: "connection", edges: list[Any]) -> str:
    """Write the edges between columns, once for as many runs as they stay the same.

    Returns:
        What names this graph in `ops.lineage_edges` and `ops.runs`.
    """
    from psycopg2.extras import execute_values

    rows = [tuple(asdict(edge).values()) for edge in edges]
    graph = hashlib.sha256(json.dumps(sorted(map(str, rows))).encode()).hexdigest()[:16]
    with session.cursor() as cursor:
        cursor.execute("select from ops.lineage_edges where graph = %s limit 1", (graph,))
        if cursor.fetchone() is None:
            named = [(graph, *row) for row in rows]
            # one statement: a kill must not leave half a graph under its name
            insert = "insert into ops.lineage_edges values %s"
            execute_values(cursor, insert, named, page_size=len(named) or 1)
    return graph


def load_table_rows(load: Any) -> list[dict[str, Any]]:
    """A LoadRecord's counts, a row for each table that has any."""
    counts = (load.loaded, load.received, load.mended, load.rejected, load.released)
    tables = sorted({table for count in counts for table in count})
    return [
        {
            "source": load.source,
            "table_name": table,
            "endpoint": load.endpoints.get(table),
            "query": load.queries.get(table),
            "pages": load.pages.get(table, 0),
            "rows_received": load.received.get(table, 0),
            "rows_loaded": load.loaded.get(table, 0),
            "rows_mended": load.mended.get(table, 0),
            "rows_rejected": load.rejected.get(table, 0),
            "rows_released": load.released.get(table, 0),
        }
        for table in tables
    ]


def is_buried(session: "connection", run_id: str) -> bool:
    """Whether another run has found this one dead."""
    with session.cursor() as cursor:
        cursor.execute("select reason from ops.runs where run_id = %s", (run_id,))
        return cursor.fetchone() == (DEAD,)


def unended_rows(session: "connection", alive: str) -> list[str]:
    """The other runs that have no end here."""
    with session.cursor() as cursor:
        cursor.execute(
            "select run_id from ops.runs where run_id <> %s and status in (%s, %s) "
            "and exit_code is null and reason is null",
            (alive, RUNNING, PUBLISHED),
        )
        return [run_id for (run_id,) in cursor.fetchall()]


def knows(session: "connection", run_id: str) -> bool:
    """Whether there is a run of this id."""
    with session.cursor() as cursor:
        cursor.execute("select from ops.runs where run_id = %s", (run_id,))
        return cursor.fetchone() is not None


def staged_runs(session: "connection", hours: float) -> dict[str, bool]:
    """The runs that stand between two of their stages, and whether that is too long for them."""
    with session.cursor() as cursor:
        cursor.execute(
            "select run_id, touched_at < now() - interval '1 hour' * %s from ops.stages "
            "where not closed",
            (hours,),
        )
        return dict(cursor.fetchall())


def close_staged(session: "connection", run_id: str) -> None:
    """Nobody has collected this run in time."""
    with session.cursor() as cursor:
        cursor.execute("update ops.stages set closed = true where run_id = %s", (run_id,))
        cursor.execute(
            "update ops.runs set finished_at = coalesce(finished_at, now()) where run_id = %s",
            (run_id,),
        )


def end_of(session: "connection", run_id: str) -> dict[str, Any]:
    """How a run ended, if it did and could say so here."""
    names = ("status", "exit_code", "finished_at", "reason")
    with session.cursor() as cursor:
        cursor.execute(
            "select status, exit_code, finished_at, reason from ops.runs "
            "where run_id = %s and exit_code is not null",
            (run_id,),
        )
        return dict(zip(names, cursor.fetchone() or (), strict=False))


def end_row(session: "connection", run_id: str, end: dict[str, Any]) -> None:
    """Write down the end of a run that could not do so itself; without a status, that it died."""
    names = ("status", "exit_code", "finished_at", "reason")
    status, *told, reason = (end.get(name) for name in names)
    with session.cursor() as cursor:
        cursor.execute(
            "update ops.runs set status = coalesce(%s, nullif(status, %s), %s), exit_code = %s, "
            "finished_at = %s, reason = %s where run_id = %s",
            (status, RUNNING, ABORTED, *told, reason if end else DEAD, run_id),
        )


def _rows(run: dict[str, Any], found: Iterable[Any]) -> list[dict[str, Any]]:
    return [{**run, **asdict(row)} for row in found]


def _upsert(
    session: "connection", table: str, rows: list[dict[str, Any]], key: tuple[str, ...]
) -> None:
    """Insert rows that all have the same columns, or overwrite those with the same key."""
    if not rows:
        return
    from psycopg2 import sql
    from psycopg2.extras import execute_values

    names = list(rows[0])
    template = "insert into {table} ({names}) values %s on conflict ({key}) do update set {sets}"
    statement = sql.SQL(template).format(
        table=sql.Identifier(*table.split(".")),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        sets=sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names
        ),
    )
    with session.cursor() as cursor:
        execute_values(cursor, statement, [tuple(row.values()) for row in rows])
