"""The walk along the graph, and what is written and read."""

import json
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.lineage.graph import (
    DIRECT,
    DOWN,
    INDIRECT,
    UP,
    Column,
    Edge,
    Graph,
    Node,
    read_graph,
)
from orchestration.lineage.newest import newest_graph

BOTH = (DIRECT, INDIRECT)
COLUMNS = (Column("x"), Column("n"))
GRAPH = Graph(
    {
        name: Node(name, "model", "marts", name, columns=(Column("x"), Column("n")))
        for name in "abc"
    },
    [
        Edge("a", "x", "b", "x"),
        Edge("b", "x", "c", "x"),
        Edge("b", None, "c", "n"),  # count(*)
        Edge("a", "n", "b", None, INDIRECT),  # where n > 1
        Edge("b", None, "c", None, INDIRECT),
    ],
)


def test_a_value_goes_down_the_direct_edges() -> None:
    assert GRAPH.walk("a", "x", DOWN) == [GRAPH.edges[0], GRAPH.edges[1]]


def test_who_counts_rows_depends_on_what_decides_them_and_on_no_value() -> None:
    assert GRAPH.walk("c", "n", UP) == [GRAPH.edges[2]]
    assert [(e.from_node, e.from_column) for e in GRAPH.walk("c", "n", UP, BOTH)] == [
        ("b", None), ("b", None), ("a", "n")]  # fmt: skip
    assert GRAPH.edges[2] not in GRAPH.walk("a", "x", DOWN, BOTH)


def test_a_filter_reaches_every_column_behind_it() -> None:
    assert set(GRAPH.walk("a", "n", DOWN, BOTH)) == set(GRAPH.edges) - {GRAPH.edges[0]}
    assert set(GRAPH.walk("a", None, DOWN, BOTH)) == set(GRAPH.edges)


def test_a_circle_ends() -> None:
    graph = Graph(GRAPH.nodes, [Edge("a", "x", "b", "x"), Edge("b", "x", "a", "x")])
    assert len(graph.walk("a", "x", DOWN)) == 2


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    GRAPH.save(tmp_path / "lineage.json")
    assert read_graph(tmp_path / "lineage.json") == GRAPH
    assert json.loads((tmp_path / "lineage.json").read_text())["edges"][0] == [
        "a", "x", "b", "x", "direct"]  # fmt: skip


def test_without_a_run_and_with_a_broken_file_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make run"):
        newest_graph(tmp_path)
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "lineage.json").write_text('{"nodes": [1')
    with pytest.raises(ConfigurationError, match="is no lineage"):
        newest_graph(tmp_path)
