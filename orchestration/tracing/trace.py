"""`ecluse trace`: one row of a mart, the rows behind it, and where they came from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import DataError, sql

from orchestration.errors import ConfigurationError
from orchestration.lineage.graph import UP, Graph, read_graph
from orchestration.lineage.newest import LINEAGE
from orchestration.ops import rows_of
from orchestration.publication.versions import LIVE, Version, find, marts_of, open_register
from orchestration.settings import Settings
from orchestration.tracing.asked import find_mart, read_key, where_else
from orchestration.tracing.origin import Origin, Row, masked, origin
from orchestration.tracing.views import Views
from orchestration.tracing.walk import Walk

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

MANIFEST = Path("dbt", "manifest.json")


@dataclass(frozen=True)
class Table:
    """The rows of one table that stand behind the traced one: `count`, and the first of them."""

    relation: str
    count: int
    rows: tuple[Row, ...]
    origin: Origin | None  # of a table of raw


@dataclass(frozen=True)
class Trace:
    """A walk: the tables nearest to the mart first, and what could not be followed."""

    mart: str
    key: Mapping[str, str]
    version: int
    built_by: str | None
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def trace(
    session: "connection", settings: Settings, mart: str, given: Sequence[str],
    limit: int = 5, clear: bool = False,
) -> Trace:  # fmt: skip
    """Walk back from the row or rows of a mart that `given` names: the key, or `column=value`.

    At most `limit` rows of each table are shown, all are followed; `clear` shows personal data.

    Raises:
        ConfigurationError: nothing is published, or no such mart or row.
    """
    version, manifest, graph = _published(session, settings)
    with session.cursor() as cursor:
        # one state of the warehouse throughout; nothing of it stays
        cursor.execute("begin isolation level repeatable read")
        try:
            views = Views(cursor, version, marts_of(cursor, version), manifest)
            name = find_mart(views.marts, mart)
            stored = views.stored(f"{LIVE}.{name}")
            key = read_key(cursor, stored, given)
            found = list(Walk(cursor, views).back(f"{LIVE}.{name}", key))
            if not found or not found[0][2]:
                raise ConfigurationError(where_else(cursor, graph, version, stored, key))
            tables = tuple(_table(cursor, graph, each, limit, clear) for each in found)
        except DataError as error:
            raise ConfigurationError(f"{mart}: {str(error).splitlines()[0]}.") from error
        finally:
            cursor.execute("rollback")
    return Trace(name, key, version.number, version.run_id, tables, tuple(views.notes))


def _table(
    cursor: "cursor", graph: Graph, found: tuple[str, str, int], limit: int, clear: bool
) -> Table:
    relation, table, count = found
    first = sql.SQL("select * from {} order by 1 limit {}")
    cursor.execute(first.format(sql.Identifier(table), sql.Literal(limit)))
    rows = rows_of(cursor)
    hidden = set() if clear else _hidden(graph, relation)
    came = origin(cursor, relation, table, rows, hidden, clear)
    return Table(relation, count, tuple(masked(row, hidden) for row in rows), came)


def _hidden(graph: Graph, relation: str) -> set[str]:
    """Columns with personal data: tagged; before the marts also what is made of tagged ones."""
    tagged = {(node.id, column.name) for node in graph.nodes.values()
              for column in node.columns if column.pii}  # fmt: skip
    return {
        column.name
        for node in graph.nodes.values() if node.relation == relation
        for column in node.columns
        if (node.id, column.name) in tagged or (node.layer != LIVE and any(
            (edge.from_node, edge.from_column) in tagged
            for edge in graph.walk(node.id, column.name, UP)
        ))
    }  # fmt: skip


def _published(session: "connection", settings: Settings) -> tuple[Version, dict[str, Any], Graph]:
    """The live version; manifest and graph of the run that built it."""
    versions = open_register(session)
    if not any(version.schema == LIVE for version in versions):
        raise ConfigurationError("No marts are published yet: `make run` publishes them.")
    version = find(versions, "live")
    folders = [settings.runs_dir / (each.run_id or "unknown")
               for each in versions if each.number <= version.number]  # fmt: skip
    for path in (folders[0] / MANIFEST, folders[0] / LINEAGE):
        if not path.exists():
            raise ConfigurationError(
                f"What version {version.number} is made of is not known here: {path} is missing. "
                "Trace where that run was, or publish from here: `.venv/bin/ecluse run`."
            )
    return version, whole_manifest(folders), read_graph(folders[0] / LINEAGE)


def whole_manifest(folders: Iterable[Path]) -> dict[str, Any]:
    """The first manifest; a deployment compiles what has changed, the rest is in older ones."""
    paths = (folder / MANIFEST for folder in folders)
    manifest, *older = (json.loads(path.read_text()) for path in paths if path.exists())
    for each in older:
        for id_, node in manifest["nodes"].items():
            then = each["nodes"].get(id_, {})
            if not node.get("compiled_code") and then.get("checksum") == node["checksum"]:
                node["compiled_code"] = then.get("compiled_code")
    return manifest
