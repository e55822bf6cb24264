"""From the JSON of an API to the tables of raw: what dlt makes of a source's contract."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from orchestration.lineage.graph import DIRECT, INDIRECT, Column, Edge, Graph, Node

if TYPE_CHECKING:
    from ingestion.contract import Contract

REJECTED = "__rejected"
ROW = "$"
# what stands in a quarantine: of the row that broke its contract, and of where it was found
OF_THE_LOADER = ("_dlt_", "_page")  # columns of raw that the API has not sent
OF_THE_ROW = ("content", "reason", "path", "value", "_dlt_id")
OF_THE_LOAD = ("run_id", "endpoint", "page", "row_number", "first_seen_at", "released_at",
               "released_by", "released_how", "_dlt_load_id")  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What is known of a source without dbt."""

    contracts: "Sequence[Contract]"
    endpoints: Mapping[str, str] = field(default_factory=dict)  # resource -> its URL
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # column -> type, by dlt

    def resources(self) -> "Iterator[Contract]":
        """The contracts of endpoints that are loaded; not those of lists nested in another."""
        nested = {child.table for each in self.contracts for _, child in each.children}
        for each in self.contracts:
            if each.table not in nested and (
                each.table in self.endpoints or each.table in self.tables or not self.endpoints
            ):
                yield each


def add_source(graph: Graph, name: str, source: Source) -> None:
    """Put a source's endpoints and quarantines into the graph; its tables may be there already."""
    tables = {node.relation: node for node in graph.nodes.values() if node.kind == "raw"}
    for contract in source.resources():
        url = urlparse(source.endpoints.get(contract.table, ""))
        endpoint = f"endpoint.{name}.{contract.table}"
        parts = list(_parts(contract, ROW))
        for part, _ in parts:
            found = tables.get(f"raw_{name}.{part.table}") or _raw(name, part, source)
            found = _with_pii(found, part)
            graph.nodes[found.id] = found
            tables[found.relation] = found
        paths = [
            column
            for part, prefix in parts
            for column in _paths(part, prefix, tables[f"raw_{name}.{part.table}"])
        ]
        graph.nodes[endpoint] = Node(
            endpoint, "endpoint", "api", contract.table, url.path or f"/{contract.table}",
            description=f"The API's {contract.table}: the JSON of each row.", columns=tuple(paths),
        )  # fmt: skip
        for part, prefix in parts:
            raw = tables[f"raw_{name}.{part.table}"]
            graph.edges += _edges(endpoint, paths, prefix, raw)
        _add_quarantine(graph, name, endpoint, contract)


def _parts(contract: "Contract", prefix: str) -> "Iterator[tuple[Contract, str]]":
    yield contract, prefix
    for name, child in contract.children:
        yield from _parts(child, f"{prefix}.{name}[]")


def _raw(name: str, contract: "Contract", source: Source) -> Node:
    """A table that dlt made and dbt does not name."""
    own = [Column(each.name, each.type, pii=each.pii) for each in contract.columns]
    kinds = source.tables.get(contract.table, {})
    added = [
        Column(each, kind) for each, kind in kinds.items() if each not in {c.name for c in own}
    ]
    id_ = f"raw.{name}.{contract.table}"
    relation = f"raw_{name}.{contract.table}"
    return Node(id_, "raw", "raw", contract.table, relation, columns=(*own, *added))


def _with_pii(node: Node, contract: "Contract") -> Node:
    """Personal is what the contract calls so, whatever dbt says of it."""
    personal = {each.name for each in contract.columns if each.pii}
    columns = (replace(each, pii=each.pii or each.name in personal) for each in node.columns)
    return replace(node, columns=tuple(columns))


def _paths(contract: "Contract", prefix: str, raw: Node) -> Iterator[Column]:
    """The JSON paths of one part of a row; what the API sends unasked is known by raw only."""
    if prefix != ROW:
        yield Column(prefix, "list", f"The list that becomes {contract.table}.")
    promised = {each.name for each in contract.columns}
    personal = any(each.pii for each in contract.columns)  # so may be what nobody knows
    for each in contract.columns:
        yield Column(f"{prefix}.{each.name}", each.type, each.expectation(), each.pii)
    for column in raw.columns:
        if column.name not in promised and not column.name.startswith(OF_THE_LOADER):
            yield Column(
                f"{prefix}.{column.name}", "", "not in the contract", column.pii or personal
            )


def _edges(endpoint: str, paths: list[Column], prefix: str, raw: Node) -> Iterator[Edge]:
    """The columns of a table made of the part of the JSON that begins with `prefix`.

    `_dlt_id` is a hash of all that the part holds; a nested row names its parent by that.
    """
    known = [path.name for path in paths]
    own = [path for path in known if path == prefix or path.startswith(f"{prefix}.")]
    yield Edge(endpoint, None if prefix == ROW else prefix, raw.id, None, INDIRECT)
    parent = [path for path in known if path.startswith(prefix.rpartition(".")[0])]
    made = {"_dlt_id": own, "_dlt_parent_id": parent, "_dlt_list_idx": [prefix]}
    for column in raw.columns:
        from_ = made.get(column.name, [f"{prefix}.{column.name}"])
        yield from (Edge(endpoint, path, raw.id, column.name) for path in from_ if path in known)


def _add_quarantine(graph: Graph, name: str, endpoint: str, contract: "Contract") -> None:
    table = contract.table + REJECTED
    id_ = f"raw.{name}.{table}"
    pii = any(each.pii for part, _ in _parts(contract, ROW) for each in part.columns)
    columns = [Column(each, "text", pii=pii) for each in (*OF_THE_ROW, "key")]
    columns += [Column(each) for each in OF_THE_LOAD]
    graph.nodes[id_] = Node(
        id_, "quarantine", "raw", table, f"raw_{name}.{table}",
        description=f"Rows of {contract.table} that broke their contract.", columns=tuple(columns),
    )  # fmt: skip
    paths = [each.name for each in graph.nodes[endpoint].columns]
    graph.edges += [Edge(endpoint, path, id_, to, DIRECT) for path in paths for to in OF_THE_ROW]
    graph.edges += [Edge(endpoint, f"{ROW}.{key}", id_, "key", DIRECT) for key in contract.key]
    graph.edges.append(Edge(endpoint, None, id_, None, INDIRECT))
