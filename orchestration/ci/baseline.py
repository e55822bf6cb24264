"""What a pull request is compared with: the version that readers have, its code, its raw rows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.dbt import keep_artifacts
from orchestration.errors import ConfigurationError
from orchestration.history.diff import Name
from orchestration.history.version_diff import Marts, standing_marts
from orchestration.lineage.newest import LINEAGE
from orchestration.publication.chamber import newest_load
from orchestration.publication.versions import LIVE, NEXT, Version, standing_in
from orchestration.settings import Settings
from orchestration.store import fetch_run

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

REGISTER = "select to_regclass('ops.versions') is not null"
COST = """
select distinct on (unique_id) unique_id, seconds from ops.nodes
where status = 'success' and unique_id = any(%s) order by unique_id, started_at desc
"""
MAY_SEE = """
select has_schema_privilege(%(schema)s, 'usage'),
    coalesce(pg_has_role(to_regrole(quote_ident(%(role)s))::oid, 'usage'), false)
"""


@dataclass(frozen=True)
class Baseline:
    """The live version. Without `state`, its manifest's folder, all models count as changed."""

    version: Version | None = None
    marts: Marts = field(default_factory=dict)  # where the rows of each stand, what is masked
    state: Path | None = None
    why: str = ""  # there is no state
    newer: str | None = None  # a load that the version has not seen
    clear: bool = True  # whether we may enter the schema of personal data, not only read the views

    def rows_of(self, mart: str) -> Name:
        """Where the rows of a mart can be read, personal data unmasked."""
        table, masked = self.marts[mart]
        return table if self.clear or not masked else (LIVE, mart)


def find_baseline(session: "connection", settings: Settings, given: Path | None) -> Baseline:
    """The version that readers have, as the warehouse knows it, and the artifacts of its build.

    Args:
        session: of the warehouse.
        settings: where runs are kept.
        given: a folder with the manifest instead.

    Raises:
        ConfigurationError: this login may not see personal data.
        StoreFailed: the store does not answer, or may not be read.
    """
    with session.cursor() as cursor:
        cursor.execute(REGISTER)
        known = cursor.fetchone() == (True,)
        live = standing_in(cursor, LIVE) if known else None
        if live is None:
            return Baseline(why="nothing has been published in this warehouse")
        marts = standing_marts(cursor, live)
        newest = newest_load(cursor)
        clear = _may_see(cursor, settings, live) if any(m for _, m in marts.values()) else True
    newer = newest if live.watermark and newest and newest > live.watermark else None
    state, why = (given, f"{given} holds none") if given else _fetch(settings, live.run_id)
    if state and (state / "manifest.json").exists():
        return Baseline(live, marts, state, newer=newer, clear=clear)
    why = f"there is no manifest of version {live.number}: {why}"
    return Baseline(live, marts, None, why.rstrip("."), newer, clear)


def _may_see(cursor: "cursor", settings: Settings, live: Version) -> bool:
    """Whether the tables with personal data can be read themselves.

    Raises:
        ConfigurationError: neither they nor their views show it: every value would seem to differ.
    """
    pii = settings.role("pii")
    cursor.execute(MAY_SEE, {"schema": live.clear_schema, "role": pii})
    owns, member = cursor.fetchone() or (False, False)
    if not (owns or member):
        raise ConfigurationError(
            "This login sees personal data masked, so that every row would seem to differ. It may "
            f"read the same in raw: make it a member of {pii} (`.venv/bin/ecluse grants --pii`)."
        )
    return bool(owns)


def _fetch(settings: Settings, run_id: str | None) -> tuple[Path | None, str]:
    """The folder of dbt's artifacts of a run, of this disk or of the artifact store; or why not.

    Raises:
        StoreFailed: the store does not answer, or may not be read.
    """
    if run_id is None:
        return None, "it was not built by a run"
    try:
        folder = fetch_run(settings, run_id) / "dbt"
    except ConfigurationError as error:
        return None, str(error)
    return folder, f"runs/{run_id}/dbt holds none"


def write_state(state: Path, into: Path, dbname: str) -> dict[str, Any]:
    """Copy the artifacts so that marts stand where readers find them: there dbt defers to.

    They were built in the chamber, and perhaps in a database of another name, which would make
    every source differ.

    Returns:
        The manifest as copied.
    """
    text = (state / "manifest.json").read_text()
    text = text.replace(f'\\"{NEXT}\\"', f'\\"{LIVE}\\"').replace(f'"{NEXT}"', f'"{LIVE}"')
    manifest: dict[str, Any] = json.loads(text)
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        name = node.get("relation_name")
        if name and node.get("database"):
            node["relation_name"] = name.replace(f'"{node["database"]}"', f'"{dbname}"', 1)
        node["database"] = dbname
    into.mkdir(parents=True, exist_ok=True)
    (into / "manifest.json").write_text(json.dumps(manifest))
    keep_artifacts(state, into, ("catalog.json",))
    keep_artifacts(state.parent, into, (LINEAGE,))
    return manifest


def seconds_before(session: "connection", unique_ids: Iterable[str]) -> dict[str, float]:
    """How long each node took when a run last built it."""
    with session.cursor() as cursor:
        cursor.execute(REGISTER)
        if cursor.fetchone() != (True,):
            return {}
        cursor.execute(COST, (list(unique_ids),))
        return dict(cursor.fetchall())
