"""The graph of columns as the page's script draws it, and as a list for whoever does not see it."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from orchestration.lineage.graph import DIRECT, Graph, Node
from orchestration.site.facts import Facts
from orchestration.site.layout import place, ranks
from orchestration.site.marts import mart_names
from orchestration.site.sources import ages
from orchestration.site.words import BAD, GOOD, WARN, sign, table_page, tone

LAYERS = ("api", "raw", "quarantine", "staging", "intermediate", "marts", "exposures")
MOST_COLUMNS = 400  # of a graph whose columns are all shown at first
HEADER, ROW = 26, 17  # pixels; lineage.js asks for them
SEVERE = (GOOD, "quiet", WARN, BAD)  # what outweighs what


@dataclass(frozen=True)
class LineagePage:
    """`data` is JSON for the script; the list is node, what it reads, what reads it."""

    data: str
    nodes: int
    columns: int
    layers: list[str]
    collapsed: bool
    listed: list[tuple[Node, list[Node], list[Node]]]
    unknown: list[Node]


def lineage_page(facts: Facts) -> LineagePage:
    """What the page shows of the newest graph."""
    graph = facts.graph
    links = {(e.from_node, e.to_node) for e in graph.edges} - {(id_, id_) for id_ in graph.nodes}
    links = {(a, b) for a, b in links if a in graph.nodes and b in graph.nodes}
    number = sum(len(node.columns) for node in graph.nodes.values())
    collapsed = number > MOST_COLUMNS
    reads, used = defaultdict(list), defaultdict(list)
    for here, there in sorted(links):
        reads[there].append(graph.nodes[here])
        used[here].append(graph.nodes[there])
    nodes = graph.nodes.values()
    return LineagePage(
        json.dumps(_data(facts, links, collapsed), separators=(",", ":")).replace("<", "\\u003c"),
        len(nodes), number, [name for name in LAYERS if name in {_layer(node) for node in nodes}],
        collapsed, [(node, reads[node.id], used[node.id]) for node in nodes],
        [node for node in nodes if node.unknown],
    )  # fmt: skip


def statuses(facts: Facts) -> dict[str, str]:
    """How each node came out of the newest run: of its build, its tests and its age, the worst."""
    found: dict[str, str] = {}

    def say(node: str | None, status: str) -> None:
        if node and (node not in found or _severity(status) > _severity(found[node])):
            found[node] = status

    run = facts.newest("nodes")
    for node in run.get("nodes", []):
        if node["resource_type"] not in {"test", "unit_test"}:
            say(node["unique_id"], node["status"])
    known = facts.manifest.get("nodes", {})
    for test in run.get("tests", []):
        own = known.get(test["unique_id"], {})
        reads = own.get("depends_on", {}).get("nodes", [test["tested"]])
        models = [node for node in reads if not node.startswith("source.")]
        for node in [own["attached_node"]] if own.get("attached_node") else models or reads:
            say(node, test["status"])
    by_name = {age.name: age for age in ages(facts)}
    for unique_id, source in facts.manifest.get("sources", {}).items():
        age = by_name.get(f"{source['source_name']}.{source['name']}")
        if age and age.tone != "quiet":
            say(unique_id, {GOOD: "pass", WARN: "warn", BAD: "error"}[age.tone])
    return found


def _severity(status: str) -> int:
    found = tone(status)
    return SEVERE.index(found) if found in SEVERE else 1


def _data(facts: Facts, links: set[tuple[str, str]], collapsed: bool) -> dict[str, Any]:
    graph = facts.graph
    order = sorted(graph.nodes.values(), key=lambda node: (LAYERS.index(_layer(node)), node.name))
    ids = [node.id for node in order]
    rank_of = _ranks(graph, ids, links)
    heights = {
        node.id: HEADER + (0.0 if collapsed else float(ROW * len(node.columns))) for node in order
    }
    aside = {node.id for node in order if node.kind == "quarantine"}  # not shown at first
    main = {id_: rank for id_, rank in rank_of.items() if id_ not in aside}
    tops = place(main, {(a, b) for a, b in links if not {a, b} & aside}, heights)
    tops |= dict.fromkeys(aside, max(tops.values(), default=0.0) + 60)
    status, pages = statuses(facts), set(mart_names(facts))
    place_of = {id_: number for number, id_ in enumerate(ids)}
    column_of = {node.id: {c.name: i for i, c in enumerate(node.columns)} for node in order}
    nodes = [
        {
            "id": node.id, "name": _name(node), "kind": node.kind, "layer": _layer(node),
            "at": node.relation, "owner": node.owner, "about": node.description,
            "unknown": node.unknown, "status": status.get(node.id, ""),
            "tone": tone(status.get(node.id)), "sign": sign(status.get(node.id)),
            "page": table_page(node.name) if _is_mart(node, pages) else "",
            "rank": rank_of[node.id], "y": tops[node.id],
            "columns": [[c.name, c.type, c.description, int(c.pii)] for c in node.columns],
        }
        for node in order
    ]  # fmt: skip
    edges: list[int] = []  # five numbers an edge; -1 for no column
    for edge in graph.edges:
        if edge.from_node in place_of and edge.to_node in place_of:
            edges += (
                place_of[edge.from_node], column_of[edge.from_node].get(edge.from_column or "", -1),
                place_of[edge.to_node], column_of[edge.to_node].get(edge.to_column or "", -1),
                int(edge.kind == DIRECT),
            )  # fmt: skip
    return {"nodes": nodes, "edges": edges, "collapsed": collapsed, "header": HEADER, "row": ROW}


def _ranks(graph: Graph, ids: list[str], links: set[tuple[str, str]]) -> dict[str, int]:
    """By longest path; an exposure stands at the right end, whatever it reads."""
    present = {_layer(node) for node in graph.nodes.values()} - {"quarantine"}
    begins = {name: i for i, name in enumerate(name for name in LAYERS if name in present)}
    begins["quarantine"] = begins.get("raw", 0)
    found = ranks(ids, links, {id_: begins[_layer(graph.nodes[id_])] for id_ in ids})
    last = max(found.values(), default=0)
    exposures = {id_ for id_ in ids if graph.nodes[id_].kind == "exposure"}
    return found | dict.fromkeys(exposures, last)


def _layer(node: Node) -> str:
    found = "quarantine" if node.kind == "quarantine" else node.layer
    return found if found in LAYERS else "intermediate"


def _name(node: Node) -> str:
    return f"GET /{node.name}" if node.kind == "endpoint" else node.name


def _is_mart(node: Node, pages: set[str]) -> bool:
    return node.kind == "model" and node.layer == "marts" and node.name in pages
