"""dbt's nodes while they are built: what each reads, and where its columns come from."""

from pathlib import Path
from typing import Any

from orchestration.artifacts import read_artifact
from orchestration.lineage.build import Building
from orchestration.lineage.endpoints import Source, add_source
from orchestration.lineage.graph import Graph, Node
from orchestration.lineage.nodes import SQL_KINDS, columns_of, node_of, with_columns

Json = dict[str, Any]


class Models:
    """The graph as far as it is built; each node is added when its SQL has been compiled."""

    def __init__(self, target: Path, catalog: Path, sources: dict[str, Source]) -> None:
        """Begin with what dbt has parsed.

        Args:
            target: where dbt has put its manifest, and puts compiled SQL.
            catalog: what the warehouse had when it was last documented; may be missing.
            sources: what is known of the tables of raw; truer than the catalog.
        """
        self.manifest = read_artifact(target / "manifest.json")
        self._compiled = target / "compiled"
        self._building = Building(self.manifest, self._catalog(catalog, sources))
        self._building.add_tables()
        for name, source in sources.items():
            add_source(self.graph, name, source)
        for id_, node in self._building.know_models().items():
            bare = node_of(node, self.manifest)
            declared = columns_of(node, node.get("columns") or {}, {})
            self.graph.nodes[id_] = with_columns(bare, declared)

    @property
    def graph(self) -> Graph:
        """Nodes with their edges, of models as far as they are built."""
        return self._building.lineage.graph

    def said(self, unique_id: str) -> Json:
        """What the manifest says of a node, a test too."""
        found: Json = self.manifest.get("nodes", {}).get(unique_id, {})
        return found

    def read_by(self, unique_id: str) -> list[Node]:
        """The tables that a node reads."""
        reads = self.said(unique_id).get("depends_on", {}).get("nodes", ())
        return [self.graph.nodes[each] for each in reads if each in self.graph.nodes]

    def built(self, unique_id: str) -> str:
        """Trace the columns of a model that has been built; returns its SQL, "" without any."""
        node = self.said(unique_id)
        if node["resource_type"] not in SQL_KINDS:
            return ""
        path = self._compiled / node["package_name"] / node["original_file_path"]
        sql = path.read_text() if path.is_file() else ""
        self._building.add_model(node | {"compiled_code": sql})
        return sql

    def _catalog(self, path: Path, sources: dict[str, Source]) -> Json:
        catalog = read_artifact(path)
        tables = {
            f"raw_{name}.{table}": {column: {"type": type_} for column, type_ in columns.items()}
            for name, source in sources.items()
            for table, columns in source.tables.items()
        }
        loaded = {
            id_: {"columns": tables[relation]}
            for id_, node in self.manifest.get("sources", {}).items()
            if (relation := f"{node['schema']}.{node['identifier']}") in tables
        }
        return catalog | {"sources": catalog.get("sources", {}) | loaded}
