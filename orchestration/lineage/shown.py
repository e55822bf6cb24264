"""Lineage for the terminal: trees of columns."""

from collections import defaultdict

from rich.text import Text
from rich.tree import Tree

from orchestration.lineage.finding import Place, label
from orchestration.lineage.graph import DIRECT, DOWN, INDIRECT, UP, Graph

HEADS = {UP: "comes from", DOWN: "goes into"}
NOWHERE = {UP: "nothing else: it is made here", DOWN: "nothing"}
ROWS = {UP: "which rows there are", DOWN: "which rows there are in"}
ENOUGH = 12  # names in one line
End = tuple[str, str | None]  # a node and one of its columns


def tree_of(graph: Graph, place: Place, directions: tuple[str, ...]) -> Tree:
    """The ways of a column, or of all columns of a table one step far."""
    node, column = place
    root = Tree(Text(label(node, column), style="bold"))
    if said := _about(place):
        root.add(Text(said, style="dim"))
    if node.unknown:
        root.add(Text(f"not all can be told: {node.unknown}", style="yellow"))
    for direction in directions:
        ways = _Ways(graph, direction)
        branch = root.add(Text(HEADS[direction], style="cyan"))
        if column is None:
            ways.add_table(branch, node.id)
        else:
            ways.add_column(branch, (node.id, column), set())
        if not branch.children:
            branch.add(NOWHERE[direction])
        if names := ways.rows(node.id, column):
            branch.add(Text(f"{ROWS[direction]}: {names}", style="dim"))
    return root


def as_json(graph: Graph, place: Place, directions: tuple[str, ...]) -> dict[str, object]:
    """Every edge on the way, both kinds, nearest first."""
    node, column = place
    found: dict[str, object] = {"node": node.id, "column": column, "unknown": node.unknown}
    for direction in directions:
        edges = graph.walk(node.id, column, direction, (DIRECT, INDIRECT))
        found[direction] = [vars(edge) for edge in edges]
    return found


def _about(place: Place) -> str:
    node, name = place
    column = next((each for each in node.columns if each.name == name), None)
    said = [node.description]
    if column:
        said = [column.type, column.description, "personal data" if column.pii else ""]
    return " · ".join(part for part in (*said, node.owner) if part)


class _Ways:
    """The edges of one direction, by where they begin."""

    def __init__(self, graph: Graph, direction: str) -> None:
        self.nodes, self.direction = graph.nodes, direction
        self.direct: dict[End, list[End]] = defaultdict(list)
        self.indirect: dict[str, list[tuple[str | None, End]]] = defaultdict(list)
        for edge in graph.edges:
            ends = (edge.from_node, edge.from_column), (edge.to_node, edge.to_column)
            here, far = ends if direction == DOWN else ends[::-1]
            if edge.kind == DIRECT:
                self.direct[here].append(far)
            else:
                self.indirect[here[0]].append((here[1], far))

    def add_column(self, branch: Tree, at: End, seen: set[End]) -> None:
        """The direct edges of a column, and theirs; what was shown is not opened again."""
        seen.add(at)
        for far in self.direct[at]:
            shown = self.label(far)
            if far[1] is None:
                branch.add(f"{shown} (its rows are counted)")
            elif far in seen:
                branch.add(Text(f"{shown} …", style="dim"))
            else:
                self.add_column(branch.add(shown), far, seen)

    def add_table(self, branch: Tree, node: str) -> None:
        """A line for each column: what it is made of, or what is made of it."""
        arrow = "←" if self.direction == UP else "→"
        for column in self.nodes[node].columns:
            if found := [self.label(far) for far in self.direct[node, column.name]]:
                branch.add(f"{column.name} {arrow} {_some(found)}")

    def rows(self, node: str, column: str | None) -> str:
        """What decides the rows of a table; or the tables whose rows a column decides."""
        wanted = {column, None} if self.direction == UP else {column}
        found = [
            self.label(far)
            for at, far in self.indirect[node]
            if (column is None or at in wanted) and (far[1] if self.direction == UP else at)
        ]
        return _some(list(dict.fromkeys(found)))

    def label(self, end: End) -> str:
        """A column as it can be asked for."""
        return label(self.nodes[end[0]], end[1])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - ENOUGH} more" if len(names) > ENOUGH else ""
    return ", ".join(names[:ENOUGH]) + more
