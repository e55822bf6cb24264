"""Everything the pages are made of, read once: records, rows of ops, dbt's artifacts, the graph."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.environment import published_state
from orchestration.lineage.graph import Graph, read_graph
from orchestration.ops import rows_of
from orchestration.publication.versions import Switch, Version, all_versions, last_switch
from orchestration.records import RunRecord, read_runs
from orchestration.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

Row = dict[str, Any]
PAGES = 30  # runs that have a page of their own
LISTED = 500  # runs in the list
# What the record of a run that another version of Écluse wrote may lack.
EMPTY = asdict(RunRecord("", "")) | dict.fromkeys(("started_at", "host", "pid"))

RUNS = """
select run_id, kind, status, reason, started_at, finished_at, git_commit
from ops.runs order by started_at desc limit %(listed)s
"""
# What was measured of whole tables in the last runs, and of columns: the newest, and what drifted.
METRICS = """
with recent as (
    select run_id from ops.metrics where column_name = ''
    group by run_id order by max(at) desc limit 100
), newest as (
    select table_name, max(at) as at from ops.metrics group by table_name
)
select m.table_name, m.column_name, m.metric, m.value, m.at, m.state, m.expected, m.low, m.high,
       m.run_id
from ops.metrics as m join recent using (run_id) left join newest as n using (table_name)
where (m.column_name = '' and m.metric in ('rows', 'rows_loaded')) or m.at = n.at
   or m.state in ('anomaly', 'continuing', 'recovered', 'adopted')
order by m.at
"""
# As JSON, and only where there is such a table: another version of Écluse may have made it.
INCIDENTS = """
select to_jsonb(i) from ops.incidents as i
where state <> 'resolved' or resolved_at > now() - interval '30 days' order by opened_at desc
"""
SCORES = """
select to_jsonb(s) from (
    select distinct on (mart) * from ops.scores order by mart, at desc
) as s
"""
VERSION_ROWS = """
select version, mart, row_count from ops.version_marts
where version > (select max(version) - 60 from ops.version_marts)
"""


@dataclass(frozen=True)
class Facts:
    """What is known at `now`. `runs` are records as in run.json, `listed` rows of ops.runs."""

    now: datetime
    runs: list[Row] = field(default_factory=list)
    listed: list[Row] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    switched: Switch | None = None
    version_rows: dict[int, dict[str, int]] = field(default_factory=dict)
    metrics: list[Row] = field(default_factory=list)
    incidents: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)  # the newest of each mart
    manifest: Row = field(default_factory=dict)
    catalog: Row = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    contracts: dict[str, list[Row]] = field(default_factory=dict)  # by source, as loaded last

    @property
    def live(self) -> Version | None:
        """The version that readers have."""
        return next((version for version in self.versions if version.state == "live"), None)

    @property
    def project(self) -> str:
        """The dbt project's name."""
        return str(self.manifest.get("metadata", {}).get("project_name") or "Écluse")

    def newest(self, key: str) -> Row:
        """The newest run whose record has anything under `key`; empty when there is none."""
        return next((run for run in self.runs if run.get(key)), {})


def read_facts(settings: Settings, session: "connection", now: datetime | None = None) -> Facts:
    """Read it all; what was never written is empty."""
    runs = [EMPTY | run for run in read_runs(settings.runs_dir, PAGES)]
    manifest, catalog = _published(settings, runs)
    with session.cursor() as cursor:
        counts: dict[int, dict[str, int]] = {}
        for row in _rows(cursor, VERSION_ROWS):
            counts.setdefault(row["version"], {})[row["mart"]] = row["row_count"]
        return Facts(
            now=now or datetime.now(UTC), runs=runs, listed=_rows(cursor, RUNS, listed=LISTED),
            versions=all_versions(cursor), switched=last_switch(cursor), version_rows=counts,
            metrics=_rows(cursor, METRICS), incidents=_if_there(cursor, "ops.incidents", INCIDENTS),
            scores=_if_there(cursor, "ops.scores", SCORES),
            manifest=manifest, catalog=catalog, graph=_newest_graph(settings, runs),
            contracts=_newest_contracts(settings, runs),
        )  # fmt: skip


def read_json(path: Path) -> Row:
    """A JSON object; empty when there is none that can be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _rows(cursor: "cursor", statement: str, **values: object) -> list[Row]:
    cursor.execute(statement, values)
    return rows_of(cursor)


def _if_there(cursor: "cursor", table: str, statement: str) -> list[Row]:
    cursor.execute("select to_regclass(%s)", (table,))
    if cursor.fetchone() == (None,):
        return []
    cursor.execute(statement)
    return [row for (row,) in cursor.fetchall()]


def _published(settings: Settings, runs: list[Row]) -> tuple[Row, Row]:
    """Manifest and catalog of what readers see; before that, of the newest build."""
    folders = [published_state(settings)]
    folders += [settings.runs_dir / run["run_id"] / "dbt" for run in runs]
    for folder in folders:
        if manifest := read_json(folder / "manifest.json"):
            return manifest, read_json(folder / "catalog.json")
    return {}, {}


def _newest_graph(settings: Settings, runs: list[Row]) -> Graph:
    for run in runs:
        path = settings.runs_dir / run["run_id"] / "lineage.json"
        if path.exists():
            return read_graph(path)
    return Graph()


def _newest_contracts(settings: Settings, runs: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for run in runs:
        for path in sorted((settings.runs_dir / run["run_id"] / "dlt").glob("*.contract.json")):
            source = path.name.removesuffix(".contract.json")
            with suppress(OSError, ValueError):
                found[source] = found.get(source) or json.loads(path.read_text())
    return found
