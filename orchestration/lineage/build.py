"""One graph from an API's JSON to the exposures: artifacts and contracts in, nothing else read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orchestration.lineage.columns import Derived, derive
from orchestration.lineage.endpoints import Source, add_source
from orchestration.lineage.graph import DIRECT, INDIRECT, Column, Edge, Graph, Node
from orchestration.lineage.nodes import (
    SQL_KINDS,
    catalog_columns,
    columns_of,
    declared,
    exposure_of,
    key_of,
    node_of,
    seed_columns,
    with_columns,
)
from orchestration.lineage.origins import Origin
from orchestration.lineage.snapshots import snapshot_columns
from orchestration.lineage.tables import find_table

Json = dict[str, Any]
SOURCE_SCHEMA = "raw_"


@dataclass
class Lineage:
    """The graph, and what each model's SQL was read as."""

    graph: Graph = field(default_factory=Graph)
    derived: dict[str, Derived] = field(default_factory=dict)  # unique id -> its query
    # what the YAML declares of a column's type; of a file that is not SQL, its checksum
    said: dict[tuple[str, str | None], str] = field(default_factory=dict)


def build(manifest: Json, catalog: Json, sources: Mapping[str, Source]) -> Lineage:
    """Make the graph.

    Args:
        manifest: dbt's manifest, of a command that compiled the models.
        catalog: dbt's catalog; may be empty, then what `select *` reads from sources is unknown.
        sources: what is known of each source by its contracts and loads.
    """
    made = Building(manifest, catalog)
    made.add_tables()
    for name, source in sources.items():
        add_source(made.lineage.graph, name, source)
    made.add_models()
    made.add_exposures()
    made.lineage.graph.edges = list(dict.fromkeys(made.lineage.graph.edges))
    return made.lineage


@dataclass
class Building:
    """The graph while it is made: tables first, then each model after what it reads."""

    manifest: Json
    catalog: Json
    lineage: Lineage = field(default_factory=Lineage)
    schema: dict[str, list[str]] = field(default_factory=dict)  # what SQL calls it -> columns
    ids: dict[str, str] = field(default_factory=dict)  # what SQL calls it -> node

    def add_tables(self) -> None:
        """Sources and seeds: what is not made by SQL."""
        nodes = self.manifest.get("nodes", {}).values()
        seeds = [node for node in nodes if node["resource_type"] == "seed"]
        for node in [*self.manifest.get("sources", {}).values(), *seeds]:
            names = list(catalog_columns(node, self.catalog))
            if node["resource_type"] == "seed":
                names = seed_columns(node, self.catalog)
            self._add(node, names, names or list(node.get("columns") or {}))

    def add_models(self) -> None:
        """Models and snapshots, each after what it reads."""
        nodes = self.know_models()
        for id_ in _ordered(nodes):
            self.add_model(nodes[id_])

    def know_models(self) -> dict[str, Json]:
        """Who is called what in SQL, and what is built already; returns models and snapshots."""
        nodes = {id_: node for id_, node in self.manifest.get("nodes", {}).items()
                 if node["resource_type"] in SQL_KINDS}  # fmt: skip
        for node in nodes.values():
            self.ids[key_of(node)] = node["unique_id"]
            if built := list(catalog_columns(node, self.catalog)):
                self.schema[key_of(node)] = built
        return nodes

    def add_exposures(self) -> None:
        """Exposures: the columns that they say they use, or all there are."""
        graph = self.lineage.graph
        for exposure in self.manifest.get("exposures", {}).values():
            id_, columns = exposure["unique_id"], list[Column]()
            meta = {**exposure.get("meta", {}), **exposure.get("config", {}).get("meta", {})}
            used = meta.get("columns") if isinstance(meta.get("columns"), dict) else None
            for read in exposure.get("depends_on", {}).get("nodes", ()):
                model = graph.nodes.get(read)
                for column in model.columns if model else ():
                    name = f"{model.name}.{column.name}" if model else ""
                    if used is None or column.name in (used.get(name.partition(".")[0]) or ()):
                        columns.append(replace(column, name=name))
                        graph.edges.append(Edge(read, column.name, id_, name, DIRECT))
                if model:
                    graph.edges.append(Edge(read, None, id_, None, INDIRECT))
            graph.nodes[id_] = with_columns(exposure_of(exposure), tuple(columns))

    def _add(self, node: Json, known: list[str], shown: list[str], unknown: str = "") -> None:
        """A node. `known` are all of its columns, or none where nobody can be sure of that."""
        columns = columns_of(node, shown, self.catalog)
        bare = node_of(node, self.manifest)
        self.lineage.graph.nodes[bare.id] = with_columns(bare, columns, unknown)
        self.ids[key_of(node)] = bare.id
        self.lineage.said |= declared(node)
        if known:
            self.schema[key_of(node)] = known

    def add_model(self, node: Json) -> None:
        """A model or snapshot; what it reads has been added."""
        id_, sql = node["unique_id"], node.get("compiled_code")
        built = list(catalog_columns(node, self.catalog)) or list(node.get("columns") or {})
        if node.get("language", "sql") != "sql":
            self._add(node, [], built, "It is written in Python, which is not read.")
            return
        if not sql:
            self._add(node, [], built, "Its SQL has not been compiled.")
            return
        found = self._snapshot(node, derive(sql, self.schema))
        self.lineage.derived[id_] = found
        if found.problems:
            told = "; ".join(found.problems[:3])
            self._add(node, [], list(dict.fromkeys([*built, *found.columns])), f"{told}.")
        else:
            self._add(node, list(found.columns), list(found.columns))
        self.lineage.graph.edges += self._edges(id_, found)

    def _snapshot(self, node: Json, found: Derived) -> Derived:
        if node["resource_type"] != "snapshot":
            return found
        return replace(found, columns=found.columns | snapshot_columns(node, found.columns))

    def _edges(self, to: str, found: Derived) -> Iterator[Edge]:
        for name, origin in found.columns.items():
            yield from self._incoming(to, name, origin, found)
        for table, column in sorted(found.rows, key=str):
            yield Edge(self._id(table), column, to, None, INDIRECT)

    def _incoming(self, to: str, name: str, origin: Origin, found: Derived) -> Iterator[Edge]:
        for table, column in sorted(origin.direct, key=str):
            yield Edge(self._id(table), column, to, name, DIRECT)
        for table, column in sorted(origin.indirect - origin.direct - found.rows, key=str):
            yield Edge(self._id(table), column, to, name, INDIRECT)

    def _id(self, table: str) -> str:
        """The node of a table; one that dbt does not know becomes a node now."""
        key = find_table(table, self.ids)
        if key in self.ids:
            return self.ids[key]
        schema, _, name = table.rpartition(".")
        id_ = f"raw.{schema.removeprefix(SOURCE_SCHEMA) or 'unknown'}.{name}"
        self.lineage.graph.nodes.setdefault(id_, Node(id_, "raw", "raw", name, table))
        return id_


def _ordered(nodes: Mapping[str, Json]) -> list[str]:
    reads = {id_: [each for each in node.get("depends_on", {}).get("nodes", ()) if each in nodes]
             for id_, node in nodes.items()}  # fmt: skip
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError:  # dbt would not have compiled it
        return list(nodes)
