"""What dbt knows of the models of a version of the marts, as a walk needs it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.artifacts import MARTS, is_pii
from orchestration.publication.versions import LIVE, Version

KEPT = {"table", "view", "ephemeral"}  # what is made anew by its SQL alone


@dataclass(frozen=True)
class Model:
    """A model, seed or snapshot. `schema` and `name` are what the SQL of others calls it.

    `stored` is where to read it, if not by its SQL.
    """

    schema: str
    name: str
    sql: str
    reads: tuple[tuple[str, str], ...]
    stored: tuple[str, str] | None


@dataclass(frozen=True)
class Models:
    """All of them; which columns of them, and of the sources, are described, and which personal."""

    by_name: dict[tuple[str, str], Model]
    described: dict[str, frozenset[str]]  # by schema.table
    pii: dict[str, frozenset[str]]

    def find(self, schema: str, name: str) -> Model | None:
        """The model of this relation; a mart is one in whichever schema it was built."""
        return self.by_name.get((LIVE if schema in MARTS else schema, name))

    @property
    def marts(self) -> list[str]:
        """The names of the marts."""
        return sorted(name for schema, name in self.by_name if schema == LIVE)


def read_models(manifest_path: Path, version: Version, masked: dict[str, list[str]]) -> Models:
    """The models of the manifest of the run that built `version`.

    Args:
        manifest_path: dbt's, with compiled SQL.
        version: tells where the marts stand.
        masked: marts with masked columns; their rows stand in a schema of their own.
    """
    manifest = json.loads(manifest_path.read_text())
    nodes = {id_: node for id_, node in (manifest["nodes"] | manifest["sources"]).items()
             if node["resource_type"] in {"model", "seed", "snapshot", "source"}}  # fmt: skip
    models: dict[tuple[str, str], Model] = {}
    for node in nodes.values():
        if node["resource_type"] != "source":
            reads = tuple(_relation(nodes[each]) for each in node["depends_on"].get("nodes", ())
                          if each in nodes)  # fmt: skip
            schema, name = _relation(node)
            sql = node.get("compiled_code") or ""
            models[schema, name] = Model(
                schema, name, sql if node.get("language", "sql") == "sql" else "",
                reads, _stored(node, version, masked),
            )  # fmt: skip
    described, pii = {}, {}
    for node in nodes.values():
        columns, name = node["columns"], ".".join(_relation(node))
        described[name] = frozenset(columns)
        pii[name] = frozenset(column for column in columns if is_pii(columns[column]))
    return Models(models, described, pii)


def _relation(node: dict[str, Any]) -> tuple[str, str]:
    name = node.get("alias") or node.get("identifier") or node["name"]
    return LIVE if node["schema"] in MARTS else node["schema"], name


def _stored(
    node: dict[str, Any], version: Version, masked: dict[str, list[str]]
) -> tuple[str, str] | None:
    schema, name = _relation(node)
    if schema == LIVE:
        return (version.clear_schema if masked.get(name) else version.schema or LIVE, name)
    kept = node["resource_type"] == "model" and node["config"]["materialized"] in KEPT
    return None if kept else (schema, name)
