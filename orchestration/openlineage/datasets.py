"""Nodes of the lineage graph as datasets with their facets."""

from collections import defaultdict
from collections.abc import Callable

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    column_lineage_dataset,
    documentation_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
)

from orchestration.lineage.graph import Edge, Graph, Node
from orchestration.openlineage.names import Name

Naming = Callable[[Node], Name]


def as_input(
    node: Node, naming: Naming, facets: dict[str, InputDatasetFacet] | None = None
) -> InputDataset:
    """A dataset that is read."""
    namespace, name = naming(node)
    return InputDataset(namespace, name, facets or {}, facets=_facets(node))


def as_output(node: Node, graph: Graph, naming: Naming, rows: int | None = None) -> OutputDataset:
    """A dataset that is written, from where each column of it comes, and how many rows."""
    namespace, name = naming(node)
    counted: dict[str, OutputDatasetFacet] = {}
    if rows is not None:
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        counted["outputStatistics"] = statistics(rowCount=rows)
    facets = _facets(node)
    edges = [edge for edge in graph.edges if edge.to_node == node.id]
    if edges and not node.unknown:
        facets["columnLineage"] = _column_lineage(edges, graph, naming)
    return OutputDataset(namespace, name, counted, facets=facets)


def _facets(node: Node) -> dict[str, DatasetFacet]:
    found: dict[str, DatasetFacet] = {}
    if node.columns:
        field = schema_dataset.SchemaDatasetFacetFields
        found["schema"] = schema_dataset.SchemaDatasetFacet(
            [
                field(each.name, each.type or None, each.description or None, fields=None)
                for each in node.columns
            ]
        )
    if node.description:
        found["documentation"] = documentation_dataset.DocumentationDatasetFacet(node.description)
    if node.owner:
        owner = ownership_dataset.Owner(node.owner)
        found["ownership"] = ownership_dataset.OwnershipDatasetFacet([owner])
    return found


def _column_lineage(
    edges: list[Edge], graph: Graph, naming: Naming
) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """The edges to one node. A table as a whole (`count(*)`) is no field, so it stays an input."""
    kinds: dict[str | None, dict[tuple[str, str], set[str]]] = defaultdict(
        lambda: defaultdict(set)
    )  # to -> (node, column) -> DIRECT, INDIRECT
    for edge in edges:
        if edge.from_column is not None and edge.from_node in graph.nodes:
            kinds[edge.to_column][edge.from_node, edge.from_column].add(edge.kind.upper())

    def fields(origins: dict[tuple[str, str], set[str]]) -> list[column_lineage_dataset.InputField]:
        return [
            column_lineage_dataset.InputField(
                *naming(graph.nodes[node]), column,
                [column_lineage_dataset.Transformation(kind) for kind in sorted(found)],
            )
            for (node, column), found in origins.items()
        ]  # fmt: skip

    rows = kinds.pop(None, {})
    made = {to: column_lineage_dataset.Fields(fields(from_)) for to, from_ in kinds.items() if to}
    return column_lineage_dataset.ColumnLineageDatasetFacet(made, fields(rows))
