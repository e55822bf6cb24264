"""A project as large as they come: a graph of any size, the same for the same seed."""

import random

from orchestration.lineage.graph import DIRECT, INDIRECT, Column, Edge, Graph, Node

LAYERS = (("api", 0.06), ("raw", 0.14), ("staging", 0.24), ("intermediate", 0.24), ("marts", 0.28),
          ("exposures", 0.04))  # fmt: skip
KINDS = {"api": "endpoint", "raw": "raw", "exposures": "exposure"}


def generated_graph(nodes: int = 300, columns: int = 5_000, seed: int = 7) -> Graph:
    """A graph of so many nodes and columns: each reads one to four nodes of earlier layers."""
    dice, graph, earlier = random.Random(seed), Graph(), list[Node]()
    for layer, share in LAYERS:
        made = [
            _node(layer, number, round(columns / nodes), dice)
            for number in range(max(1, round(nodes * share)))
        ]
        for node in made:
            graph.nodes[node.id] = node
            reads = dice.sample(earlier, min(len(earlier), dice.randint(1, 4)))
            graph.edges += [edge for read in reads for edge in _edges(read, node, dice)]
        earlier = (earlier + made)[-round(nodes * 0.4) :]
    return graph


def _node(layer: str, number: int, width: int, dice: random.Random) -> Node:
    kind = KINDS.get(layer, "model")
    name = f"{layer}_table_{number:03}"
    many = dice.randint(max(1, width - 6), width + 6)
    made = tuple(Column(f"column_{place:02}", "text", "What it means.") for place in range(many))
    return Node(f"{kind}.shop.{name}", kind, layer, name, f"{layer}.{name}", columns=made)


def _edges(read: Node, node: Node, dice: random.Random) -> list[Edge]:
    """About half of the columns come from each, and which rows there are."""
    found = [Edge(read.id, dice.choice(read.columns).name, node.id, None, INDIRECT)]
    for column in node.columns:
        if dice.random() < 0.5:
            found.append(
                Edge(read.id, dice.choice(read.columns).name, node.id, column.name, DIRECT)
            )
    return found
