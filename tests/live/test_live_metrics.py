"""What Prometheus is told, from rows of ops in a real Postgres."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration import ops
from orchestration.live.metrics import exposition, metrics
from orchestration.records import RunRecord, StepRecord
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.live.exposition import read

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
FILL = """
insert into ops.loads (run_id, source, dataset, load_ids, retries, started_at)
select r, 'shop', 'raw_shop', '{}', 0, started_at from ops.runs, unnest(array[run_id]) as r;
insert into ops.load_tables
    (run_id, source, table_name, pages, rows_received, rows_loaded, rows_mended, rows_rejected)
select run_id, 'shop', 'orders', 1, 100, 90, 0, case run_id when 'old' then 0 else 7 end
from ops.runs;
insert into ops.freshness (run_id, source, table_name, status, newest_at)
values ('old', 'shop', 'orders', 'pass', to_timestamp(1000)),
       ('old', 'shop', 'never', 'error', null),
       ('new', 'shop', 'orders', 'warn', to_timestamp(2000));
insert into ops.test_results (run_id, unique_id, name, severity, status, seconds)
select run_id, n::text, n::text, 'error', (array['pass', 'success', 'warn', 'fail', 'error'])[n], 0
from ops.runs, generate_series(1, 5) as n;
insert into ops.versions (version, run_id, git_commit, schema_name, published_at)
values (3, 'old', 'abc', 'marts', to_timestamp(3000)), (2, 'older', 'ab', 'marts__v2', now());
insert into ops.version_marts values (3, 'orders', '{}', 42, 'x'), (2, 'orders', '{}', 7, 'y');
insert into ops.incidents (key, kind, severity, state, title, nodes, details, size, unit, runs_seen,
                           opened_at, opened_by, seen_at, seen_by)
select n::text, 'test', severity, state, '', '{}', '{}', 1, 'rows', 1, now(), 'new', now(), 'new'
from (values (1, 'error', 'open'), (2, 'error', 'resolved'), (3, 'warn', 'muted')
     ) as i (n, severity, state);
select 1
"""


def _run(run_id: str, day: int, code: int | None, **what: object) -> RunRecord:
    began = BEGAN + timedelta(days=day)
    ended = began + timedelta(seconds=20) if code is not None else None
    steps = [StepRecord("build", "failed" if code else "done", "", began, ended)]
    status = {None: "aborted", 0: "published"}.get(code, "broken")
    return RunRecord(run_id, str(what.pop("kind", "run")), status, code, started_at=began,
                     finished_at=ended, steps=steps, **what)  # fmt: skip


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """A good run and a bad one after it, a deployment, a run that was killed, and one at work."""
    with warehouse.session() as session:
        ops.create_tables(session)
        for made in (_run("old", 0, 0), _run("new", 1, 3), _run("dep", 2, 0, kind="deploy")):
            ops.save_run(session, made)
        query(warehouse, FILL)
        ops.save_run(session, _run("dead", 3, None, kind="ingest", reason="killed"))
        ops.save_run(session, RunRecord("now", "run"))
    return warehouse


def test_the_newest_of_everything_is_told_in_base_units(filled: Warehouse) -> None:
    with filled.session() as session:
        found = read(metrics(session))

    def of(name: str, **labels: str) -> float | None:
        return found.get((f"ecluse_{name}", tuple(labels.items())))

    assert of("last_run_info", kind="run", run_id="new", status="broken") == 1
    assert of("last_run_exit_code", kind="run") == 3
    assert of("last_run_exit_code", kind="ingest") == 1
    assert of("last_run_duration_seconds", kind="run") == 20
    assert of("last_run_duration_seconds", kind="ingest") is None, "nobody saw its end"
    assert of("last_success_timestamp_seconds", kind="run") == BEGAN.timestamp() + 20
    assert of("last_run_timestamp_seconds", kind="run") == BEGAN.timestamp() + 86400
    assert of("step_duration_seconds", kind="run", step="build") == 20
    newest = {"source": "shop", "table": "orders"}
    assert of("last_load_rows", **newest, outcome="received") == 100
    assert of("last_load_rows", **newest, outcome="loaded") == 90
    assert of("last_load_rows", **newest, outcome="rejected") == 7
    assert of("source_freshness_timestamp_seconds", **newest) == 2000
    assert of("source_freshness_timestamp_seconds", source="shop", table="never") is None
    outcomes = {"passed": 2, "warned": 1, "failed": 2, "skipped": 0}
    assert {status: of("tests", status=status) for status in outcomes} == outcomes
    assert of("published_version_info", version="3", run_id="old", commit="abc") == 1
    assert of("published_timestamp_seconds") == 3000
    assert of("mart_rows", mart="orders") == 42
    assert of("incidents_open", severity="error") == 1
    assert of("incidents_open", severity="warn") == 0


def test_names_have_a_unit_where_there_is_one_and_no_ending_that_promises_another_type(
    filled: Warehouse,
) -> None:
    with filled.session() as session:
        names = {name for name, _ in read(metrics(session))}
    assert len(names) == 13
    for name in names:
        assert name.startswith("ecluse_")
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_ms"))
        if "duration" in name or "timestamp" in name:
            assert name.endswith("_seconds")


def test_a_warehouse_without_ops_has_nothing_to_tell(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        assert metrics(session) == ""


def test_before_the_table_of_incidents_there_is_no_metric_of_them(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        ops.create_tables(session)
        query(warehouse, "drop table if exists ops.incidents cascade; select 1")
        assert "incidents" not in metrics(session)


def test_a_label_may_hold_anything() -> None:
    odd = 'a "b" \\ c\nd\\n,x="y"} 7'
    text = exposition("ecluse_x", "Odd.", ["name", "none"], [(odd, None, 1.5)])
    assert read(text) == {("ecluse_x", (("name", odd), ("none", ""))): 1.5}
