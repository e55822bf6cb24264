"""What the schema `ops` knows, as Prometheus reads it: `/metrics` and a file for node_exporter.

Moments are told, not ages: a file is read long after it was written, and `time() - x` is an age.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.errors import EcluseError
from orchestration.settings import Settings
from orchestration.warehouse import locate

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
PATIENCE = "set statement_timeout = '5s'"  # a scrape must not wait for a warehouse that is busy


@dataclass(frozen=True)
class Metric:
    """A gauge. Of what `statement` gives, the last column is the value, the others are labels."""

    name: str
    help: str
    statement: str
    needs: str = "ops.runs"  # the table without which it is left out


ENDED = """
select distinct on (kind) kind, {value} from ops.runs
where finished_at is not null or reason is not null order by kind, started_at desc
"""
METRICS = (
    Metric(
        "ecluse_last_run_info", "The newest run of each kind that has ended, and how.",
        ENDED.format(value="run_id, status, 1"),
    ),
    Metric(
        "ecluse_last_run_exit_code", "Its exit code; 1 for a run that was killed.",
        ENDED.format(value="coalesce(exit_code, 1)"),
    ),
    Metric(
        "ecluse_last_run_timestamp_seconds", "When it began.",
        ENDED.format(value="extract(epoch from started_at)"),
    ),
    Metric(
        "ecluse_last_run_duration_seconds", "How long it took.",
        ENDED.format(value="extract(epoch from finished_at - started_at)"),
    ),
    Metric(
        "ecluse_last_success_timestamp_seconds", "When a run of this kind last ended well.",
        "select kind, extract(epoch from max(finished_at)) from ops.runs "
        "where exit_code = 0 group by kind order by kind",
    ),
    Metric(
        "ecluse_step_duration_seconds", "How long a step took when it last went through.",
        """
        select distinct on (kind, step) kind, step, extract(epoch from s.finished_at - s.started_at)
        from ops.steps as s join ops.runs as r using (run_id) where s.status = 'done'
        order by kind, step, s.started_at desc
        """,
    ),
    Metric(
        "ecluse_last_load_rows", "Rows of each source's newest load.",
        """
        with newest as (
            select distinct on (source) source, run_id from ops.loads
            order by source, started_at desc
        )
        select source, table_name as "table", outcome, number
        from ops.load_tables join newest using (source, run_id)
        cross join lateral (values ('received', rows_received), ('loaded', rows_loaded),
                                   ('rejected', rows_rejected)) as o (outcome, number)
        order by source, table_name, outcome
        """,
    ),
    Metric(
        "ecluse_source_freshness_timestamp_seconds", "The newest row of a source's table.",
        "select source, table_name as \"table\", extract(epoch from newest_at) from ops.freshness "
        "where run_id = (select run_id from ops.runs join ops.freshness using (run_id) "
        "order by started_at desc limit 1) order by source, table_name",
    ),
    Metric(
        "ecluse_tests", "dbt tests of the newest run that had any, by outcome.",
        """
        with newest as (
            select status from ops.test_results where run_id = (
                select run_id from ops.runs join ops.test_results using (run_id)
                order by ops.runs.started_at desc limit 1
            )
        )
        select o.status, count(newest.status)
        from (values ('passed', '{pass,success}'::text[]), ('warned', '{warn}'),
                     ('failed', '{fail,error,runtime error}'), ('skipped', '{skipped}')
             ) as o (status, found)
        left join newest on newest.status = any (o.found) group by o.status order by o.status
        """,
    ),
    Metric(
        "ecluse_published_version_info", "The version of the marts that readers have.",
        "select version, run_id, git_commit as commit, 1 from ops.versions "
        "where schema_name = 'marts'",
    ),
    Metric(
        "ecluse_published_timestamp_seconds", "When it was published.",
        "select extract(epoch from published_at) from ops.versions where schema_name = 'marts'",
    ),
    Metric(
        "ecluse_mart_rows", "Its rows.",
        "select mart, row_count from ops.version_marts join ops.versions using (version) "
        "where schema_name = 'marts' order by mart",
    ),
    Metric(
        "ecluse_incidents_open", "Incidents that are neither resolved nor muted.",
        "select severity, count(*) filter (where state in ('open', 'acknowledged')) "
        "from ops.incidents group by severity order by severity",
        needs="ops.incidents",
    ),
)  # fmt: skip


def metrics(session: "connection") -> str:
    """Every metric that the warehouse can tell, in Prometheus' text format."""
    found = []
    with session.cursor() as cursor:
        for metric in METRICS:
            cursor.execute("select to_regclass(%s)", (metric.needs,))
            if cursor.fetchone() != (None,):
                cursor.execute(metric.statement)
                names = [column.name for column in cursor.description or ()][:-1]
                found.append(exposition(metric.name, metric.help, names, cursor.fetchall()))
    return "".join(found)


def scrape(settings: Settings, going: bool) -> str:
    """What `/metrics` answers. Starts no server: a warehouse that is down is a finding."""
    known, up = "", 1
    try:
        with locate(settings).session("ecluse metrics") as session:
            with session.cursor() as cursor:
                cursor.execute(PATIENCE)
            known = metrics(session)
    except EcluseError:
        up = 0
    return (
        exposition("ecluse_warehouse_up", "Whether Postgres lets us in.", [], [(up,)])
        + exposition("ecluse_run_in_progress", "Whether a run is going on.", [], [(int(going),)])
        + known
    )


def exposition(name: str, help_: str, labels: list[str], rows: Iterable[tuple[Any, ...]]) -> str:
    """A gauge in Prometheus' text format: each row its labels' values, then its own."""
    lines = [f"# HELP {name} {help_}", f"# TYPE {name} gauge"]
    for *values, value in rows:
        if value is not None:
            pairs = zip(labels, values, strict=True)
            inner = ",".join(f'{key}="{str(text or "").translate(ESCAPES)}"' for key, text in pairs)
            lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return "\n".join(lines) + "\n"
