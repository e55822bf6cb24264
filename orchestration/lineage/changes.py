"""What a change of code changes, column by column, and whom it reaches.

Two queries are alike where the shapes of their columns are: names of CTEs, comments, layout and the
way through subqueries play no part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestration.lineage.build import Lineage
from orchestration.lineage.finding import label
from orchestration.lineage.graph import DIRECT, DOWN, INDIRECT, Column, Graph, Node

MARTS = "marts"
BREAKING = ("removed", "renamed", "type")


@dataclass(frozen=True)
class Change:
    """Of a column; of a table's rows or the table itself where `column` is None."""

    node: str
    column: str | None
    kind: str  # new, removed, renamed, added, changed, rows, type, rule, personal
    label: str
    said: str
    published: bool = False  # it stands in a mart


@dataclass
class Reach:
    """What readers may notice: by the value of columns, or by which rows there are."""

    columns: dict[str, list[str]] = field(default_factory=dict)  # mart or exposure -> columns
    rows: list[str] = field(default_factory=list)  # marts and exposures


def compare(before: Lineage, after: Lineage) -> list[Change]:
    """What differs, table by table."""
    old, new = before.graph.nodes, after.graph.nodes
    found: list[Change] = []
    for id_ in dict.fromkeys([*old, *new]):
        node = new.get(id_) or old[id_]
        if node.kind == "exposure":
            continue
        if id_ not in old or id_ not in new:
            kind = "removed" if id_ in old else "new"
            told = "is gone" if id_ in old else "is new"
            found.append(_change(node, None, kind, told))
        elif node.kind == "endpoint":
            found += _of_contract(old[id_], new[id_])
        else:
            found += _of_query(node, before, after)
            found += _of_words(node, before, after)
    return found


def reach(changes: list[Change], before: Lineage, after: Lineage) -> Reach:
    """The marts and exposures that the changes reach."""
    found = Reach()
    for change in changes:
        gone = change.kind in {"removed", "renamed"}
        graph = before.graph if gone else after.graph
        nodes = {**before.graph.nodes, **after.graph.nodes}
        if change.kind != "rows":
            for node, column in _values(graph, change):
                listed = found.columns.setdefault(node, []) if _shown(nodes[node]) else []
                listed += [column] if column not in listed else []
        if change.kind not in {"added", "new", "type", "rule", "personal"}:
            for node in _rows(graph, change):
                found.rows += [node] if _shown(nodes[node]) and node not in found.rows else []
    return found


def _values(graph: Graph, change: Change) -> Iterator[tuple[str, str]]:
    own = [change.column] if change.column else [
        column.name for column in graph.nodes[change.node].columns]  # fmt: skip
    yield from ((change.node, column) for column in own)
    for edge in graph.walk(change.node, change.column, DOWN, (DIRECT,)):
        if edge.to_column:
            yield edge.to_node, edge.to_column


def _rows(graph: Graph, change: Change) -> Iterator[str]:
    if change.column is None:
        yield change.node
    for edge in graph.walk(change.node, change.column, DOWN, (DIRECT, INDIRECT)):
        if edge.kind == INDIRECT:
            yield edge.to_node


def _shown(node: Node) -> bool:
    return node.layer == MARTS or node.kind == "exposure"


def _change(node: Node, column: str | None, kind: str, said: str) -> Change:
    return Change(node.id, column, kind, label(node, column), said, node.layer == MARTS)


def _of_query(node: Node, before: Lineage, after: Lineage) -> Iterator[Change]:
    old, new = before.derived.get(node.id), after.derived.get(node.id)
    if not old or not new:
        one, two = (each.said.get((node.id, None)) for each in (before, after))
        if one != two:
            yield _change(node, None, "rows", "its file has changed")
        return
    if new.problems and new.problems != old.problems:
        yield _change(node, None, "rows", f"it cannot be read: {'; '.join(new.problems)}")
        return
    added = {name: origin.shape for name, origin in new.columns.items() if name not in old.columns}
    for name, origin in old.columns.items():
        if name in new.columns:
            if origin.shape != new.columns[name].shape:
                yield _change(node, name, "changed", "is computed in another way")
            continue
        same = next((other for other, shape in added.items() if shape == origin.shape), None)
        added.pop(same or "", None)
        told = f"is called {same} now" if same else "is gone"
        yield _change(node, name, "renamed" if same else "removed", told)
    yield from (_change(node, name, "added", "is new") for name in added)
    if old.shape != new.shape:
        told = "other tables, filters, joins or groups: other rows, in all of its columns"
        yield _change(node, None, "rows", told)


def _of_words(node: Node, before: Lineage, after: Lineage) -> Iterator[Change]:
    """Types that the YAML declares, and what is personal data."""
    old = {column.name: column for column in before.graph.nodes[node.id].columns}
    for column in after.graph.nodes[node.id].columns:
        if column.name not in old:
            continue
        one, two = (each.said.get((node.id, column.name), "") for each in (before, after))
        if one != two:
            told = f"its declared type is {two or 'gone'}, it was {one or 'not declared'}"
            yield _change(node, column.name, "type", told)
        if column.pii != old[column.name].pii:
            told = "is personal data now" if column.pii else "is personal data no more"
            yield _change(node, column.name, "personal", told)


def _of_contract(old: Node, new: Node) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield _change(new, name, "removed", "is in the contract no more")
        elif name not in before:
            yield _change(new, name, "added", "is new in the contract")
        elif before[name] != after[name]:
            yield _change(new, name, "rule", _rule(before[name], after[name]))


def _rule(old: Column, new: Column) -> str:
    if old.pii != new.pii:
        return "is personal data now" if new.pii else "is personal data no more"
    return f"the contract wants {new.description}; it wanted {old.description}"
