"""The critical path of a run, and the places of a graph's nodes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from orchestration.site.layout import GAP, place, ranks
from orchestration.site.timeline import Bar, critical_path, timeline
from tests.site.generated import generated_graph

START = datetime(2026, 5, 20, tzinfo=UTC)


def bar(name: str, begin: float, end: float, kind: str = "model") -> Bar:
    start, stop = START + timedelta(seconds=begin), START + timedelta(seconds=end)
    return Bar(name, name, kind, "success", start, stop, end - begin)


def test_the_critical_path_is_what_the_end_waited_for_tests_included() -> None:
    nodes = [bar("a", 0, 1), bar("b", 0, 3), bar("c", 5, 6), bar("d", 5, 5.5),
             bar("test_b", 3, 5, "test"), bar("test_c", 6, 6.5, "test")]  # fmt: skip
    parents = {"c": ["a", "b"], "d": ["a"], "test_b": ["b"], "test_c": ["c"]}
    assert critical_path(nodes, parents) == {"b", "test_b", "c", "test_c"}
    assert critical_path([], {}) == set()


def record(nodes: int) -> dict:
    made = [
        {"unique_id": f"n{n}", "name": f"n{n}", "resource_type": "model", "seconds": n / 10,
         "status": "error" if n == 0 else "success",
         "started_at": (START + timedelta(seconds=n)).isoformat(),
         "finished_at": (START + timedelta(seconds=n + n / 10)).isoformat()}
        for n in range(nodes)
    ]  # fmt: skip
    step = {"step": "build", "status": "done", "detail": "",
            "started_at": (START - timedelta(seconds=2)).isoformat(),
            "finished_at": (START + timedelta(seconds=2 * nodes)).isoformat()}  # fmt: skip
    return {"run_id": "r", "steps": [step], "nodes": made, "loads": []} | {
        name: step[name] for name in ("started_at", "finished_at")
    }


def test_of_many_nodes_the_slow_the_failed_and_the_critical_are_shown(tmp_path: Path) -> None:
    found = timeline(record(200), tmp_path, {}, [record(200)])
    names = [each.name for each in found.bars]
    assert {"n0", "n199", "build"} <= set(names)
    assert found.hidden == 200 - 60
    assert all(0 <= each.left <= 1000 and each.left + each.width <= 1003 for each in found.bars)
    slow = next(each for each in found.bars if each.name == "n199")
    assert (slow.usual, slow.slower, slow.critical) == (19.9, False, True)


def test_a_record_of_a_run_that_died_has_bars_too(tmp_path: Path) -> None:
    run = record(3) | {"finished_at": None}
    run["steps"][0] |= {"status": "running", "finished_at": None}
    found = timeline(run, tmp_path, {}, [])
    assert [each.name for each in found.bars] == ["build", "n0", "n1", "n2"]


def test_a_node_stands_right_of_what_it_reads_and_circles_are_cut() -> None:
    found = ranks(
        ["a", "b", "c", "d"],
        [("a", "b"), ("b", "c"), ("a", "c")],
        dict.fromkeys("abc", 0) | {"d": 1},
    )
    assert found == {"a": 0, "b": 1, "c": 2, "d": 1}
    circle = ranks(["a", "b"], [("a", "b"), ("b", "a"), ("a", "a")], {"a": 0, "b": 0})
    assert sorted(circle.values()) == [0, 1]


def test_no_node_stands_on_another_and_lines_cross_less_than_by_chance() -> None:
    graph = generated_graph(120, 600)
    links = {(edge.from_node, edge.to_node) for edge in graph.edges}
    rank_of = ranks(list(graph.nodes), links, dict.fromkeys(graph.nodes, 0))
    heights = {node.id: 26 + 17.0 * len(node.columns) for node in graph.nodes.values()}
    tops = place(rank_of, links, heights)
    assert min(tops.values()) == 0
    for rank in set(rank_of.values()):
        column = sorted((tops[id_], id_) for id_ in tops if rank_of[id_] == rank)
        for (top, upper), (below, _) in pairwise(column):
            assert below - top - heights[upper] > GAP - 0.2
    by_name = {id_: float(number) for number, id_ in enumerate(sorted(tops))}
    assert _crossings(tops, rank_of, links) < 0.6 * _crossings(by_name, rank_of, links)


def _crossings(at: dict[str, float], rank_of: dict[str, int], links: set[tuple[str, str]]) -> int:
    near = [(a, b) for a, b in links if rank_of[b] - rank_of[a] == 1]
    return sum(
        rank_of[a] == rank_of[c] and (at[a] - at[c]) * (at[b] - at[d]) < 0
        for a, b in near for c, d in near
    )  # fmt: skip
