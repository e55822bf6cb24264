"""What the lineage of columns is made of: nodes, their columns, and edges between columns.

A node's id is dbt's unique_id for what dbt knows (`source.…`, `model.…`, `snapshot.…`, `seed.…`,
`exposure.…`), `endpoint.<source>.<resource>` for a resource of an API, whose columns are JSON paths
(`$.items[].sku`), and `raw.<source>.<table>` for a table that dlt made and dbt does not name.
"""

import json
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DIRECT, INDIRECT = "direct", "indirect"  # a value; or only which rows there are, and their order
UP, DOWN = "up", "down"
EVERY = "*"  # where a walk is at all columns of a node, and its rows


@dataclass(frozen=True)
class Column:
    """A column of a node, or a JSON path of an endpoint. `type` is "" where nobody knows it."""

    name: str
    type: str = ""
    description: str = ""
    pii: bool = False


@dataclass(frozen=True)
class Node:
    """A place where columns are."""

    id: str
    kind: str  # endpoint, raw, quarantine, seed, model, snapshot, exposure
    layer: str  # api, raw, staging, intermediate, marts, exposures
    name: str
    relation: str = ""  # schema.table in the warehouse; of an endpoint, its path
    owner: str = ""
    description: str = ""
    columns: tuple[Column, ...] = ()
    unknown: str = ""  # why the columns' origin cannot be told, when it cannot


@dataclass(frozen=True)
class Edge:
    """From a column to a column; `to_column` None is every column: it decides which rows there are.

    `from_column` None is the table as a whole, as in `count(*)`.
    """

    from_node: str
    from_column: str | None
    to_node: str
    to_column: str | None
    kind: str = DIRECT


@dataclass
class Graph:
    """All nodes by id, and all edges."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def walk(
        self, node: str, column: str | None, direction: str, kinds: tuple[str, ...] = (DIRECT,)
    ) -> list[Edge]:
        """Every edge on the way from a column to its origins (UP) or its uses (DOWN).

        Each edge once, nearest first. A column of None asks for the node as a whole. On the way up,
        whoever counts the rows of a table depends on what decides its rows, not on its columns.
        """
        at: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            if edge.kind in kinds:
                at[edge.to_node if direction == UP else edge.from_node].append(edge)
        found: dict[Edge, None] = {}
        waiting: deque[tuple[str, str | None]] = deque([(node, column or EVERY)])
        seen = set(waiting)
        while waiting:
            here = waiting.popleft()
            for edge in at[here[0]]:
                if not _leads_on(edge, here[1], direction):
                    continue
                found.setdefault(edge)
                far = (edge.from_node, edge.from_column)
                if direction == DOWN:
                    far = (edge.to_node, edge.to_column or EVERY)
                if far not in seen:
                    seen.add(far)
                    waiting.append(far)
        return list(found)

    def save(self, path: Path) -> None:
        """Write {"nodes": [...], "edges": [[from, column, to, column, kind], ...]} as JSON."""
        nodes = [asdict(node) for node in self.nodes.values()]
        edges = [list(asdict(edge).values()) for edge in self.edges]
        path.write_text(json.dumps({"nodes": nodes, "edges": edges}))


def _leads_on(edge: Edge, column: str | None, direction: str) -> bool:
    """Whether an edge goes on from a column; None stands for the rows alone."""
    if direction == UP:
        return column == EVERY or edge.to_column in {column, None}
    return column in {EVERY, edge.from_column}


def read_graph(path: Path) -> Graph:
    """The graph that `Graph.save` wrote; empty when there is none.

    Raises:
        ValueError: the file is not such a graph.
    """
    if not path.exists():
        return Graph()
    kept: dict[str, Any] = json.loads(path.read_text())
    nodes = (
        Node(**(node | {"columns": tuple(Column(**each) for each in node["columns"])}))
        for node in kept["nodes"]
    )
    return Graph({node.id: node for node in nodes}, [Edge(*edge) for edge in kept["edges"]])
