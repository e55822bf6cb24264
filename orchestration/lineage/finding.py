"""Find the column or table that a person means."""

from collections.abc import Iterator
from difflib import get_close_matches

from orchestration.errors import ConfigurationError
from orchestration.lineage.graph import Graph, Node

NEAREST_READER = ("exposures", "marts", "intermediate", "staging", "raw", "api")
Place = tuple[Node, str | None]


def find_column(graph: Graph, text: str) -> tuple[Place, list[str]]:
    """What `text` names, and what else of the same name there is.

    Args:
        graph: where to look.
        text: `table.column`, `schema.table.column`, or a table alone; of an endpoint
            `orders.$.items[].sku`. Of several the one nearest to the readers is taken.

    Raises:
        ConfigurationError: there is no such thing; names what comes near.
    """
    found = [place for node in graph.nodes.values() for place in _fitting(node, text)]
    if not found:
        raise ConfigurationError(f"There is no column or table {text!r}{_near(graph, text)}")
    found.sort(key=lambda place: (place[1] is None, NEAREST_READER.index(place[0].layer)))
    return found[0], [label(node, column) for node, column in found[1:]]


def label(node: Node, column: str | None) -> str:
    """How a column is written: with its table's schema, so that it can be asked for again."""
    place = node.relation if node.relation and node.kind != "endpoint" else f"{node.name}"
    place = f"{node.kind}.{node.name}" if node.kind == "endpoint" else place
    return f"{place}.{column}" if column else place


def _names(node: Node) -> set[str]:
    known = {node.id, node.name, node.relation, label(node, None), node.id.rpartition(".")[2]}
    return {name.lower() for name in known if name}


def _fitting(node: Node, text: str) -> Iterator[Place]:
    wanted, names = text.lower(), _names(node)
    if wanted in names:
        yield node, None
    for column in node.columns:
        if any(wanted == f"{name}.{column.name.lower()}" for name in names):
            yield node, column.name


def _near(graph: Graph, text: str) -> str:
    known = {f"{node.name}.{column.name}": None for node in graph.nodes.values()
             for column in node.columns}  # fmt: skip
    known |= {node.name: None for node in graph.nodes.values()}
    near = get_close_matches(text, known, n=3, cutoff=0.6)
    return f": did you mean {' or '.join(near)}?" if near else "."
