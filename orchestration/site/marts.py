"""What a mart's owner wants to know of it, put together from manifest, catalog, ops and graph."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from orchestration.artifacts import MARTS, is_pii
from orchestration.lineage.graph import DOWN, INDIRECT, UP, Edge, Graph
from orchestration.site.facts import Facts, Row
from orchestration.site.sources import Age, ages
from orchestration.site.words import plural


@dataclass(frozen=True)
class MartColumn:
    """A column: its promise, and where it comes from."""

    name: str
    type: str
    description: str
    pii: bool
    promises: tuple[str, ...]
    nulls: float | None  # share
    distinct: float | None
    drifts: bool
    sources: tuple[tuple[str, str, str], ...]  # node id, what people call it, column: the ends
    steps: tuple[tuple[str, str, str], ...]  # the columns it is made of directly
    uses: tuple[tuple[str, str, str], ...]  # the columns made of it


@dataclass(frozen=True)
class MartTest:
    """A test and how it last ended."""

    name: str
    column: str
    severity: str
    status: str
    failures: int | None
    description: str


@dataclass(frozen=True)
class User:
    """Who reads a mart: an exposure, or a model made of it."""

    name: str
    kind: str
    owner: str
    description: str
    page: str  # of another mart; empty for none


@dataclass(frozen=True)
class Mart:
    """A mart."""

    id: str
    name: str
    description: str
    grain: str
    owner: str
    contact: str
    enforced: bool
    columns: list[MartColumn]
    tests: list[MartTest]
    tested_by: str
    rows: int | None
    rows_before: int | None
    published: datetime | None
    sources: list[Age]
    users: list[User]
    volume: list[Row]
    drifts: list[Row]
    incidents: list[Row]
    score: float | None  # percent of its checks


def marts(facts: Facts) -> list[Mart]:
    """Every mart, by name."""
    known = _Known(facts, {node["unique_id"]: node["alias"] for node in _nodes(facts)})
    return sorted((_mart(known, node) for node in _nodes(facts)), key=lambda mart: mart.name)


def mart_names(facts: Facts) -> list[str]:
    """The names of the marts that have a page."""
    return [node["alias"] for node in _nodes(facts)]


def _nodes(facts: Facts) -> list[Row]:
    nodes = facts.manifest.get("nodes", {}).values()
    return [n for n in nodes if n["resource_type"] == "model" and n["schema"] in MARTS]


@dataclass
class _Known:
    """The facts, looked up once for all marts."""

    facts: Facts
    pages: dict[str, str]  # marts by unique id

    @cached_property
    def groups(self) -> dict[str, Row]:
        return {g["name"]: g["owner"] for g in self.facts.manifest.get("groups", {}).values()}

    @cached_property
    def tested(self) -> Row:
        return self.facts.newest("tests")

    @cached_property
    def ages(self) -> dict[str, Age]:
        return {age.name: age for age in ages(self.facts)}

    @cached_property
    def metrics(self) -> dict[str, list[Row]]:
        by_table: dict[str, list[Row]] = {}
        for row in self.facts.metrics:
            by_table.setdefault(row["table_name"], []).append(row)
        return by_table

    @cached_property
    def edges(self) -> dict[tuple[str, str], list[Edge]]:
        """The edges that come into (UP) and leave (DOWN) each node."""
        found: dict[tuple[str, str], list[Edge]] = {}
        for edge in self.facts.graph.edges:
            if edge.kind != INDIRECT:
                found.setdefault((UP, edge.to_node), []).append(edge)
                found.setdefault((DOWN, edge.from_node), []).append(edge)
        return found

    def next_to(self, node: str, column: str, direction: str) -> list[tuple[str, str]]:
        """The columns that a column is made of, or that are made of it."""
        found: dict[tuple[str, str], None] = {}
        for edge in self.edges.get((direction, node), []):
            if direction == UP and edge.to_column in {column, None}:
                found.setdefault((edge.from_node, edge.from_column or ""))
            if direction == DOWN and edge.from_column == column:
                found.setdefault((edge.to_node, edge.to_column or ""))
        return list(found)

    def ends(self, node: str, column: str) -> list[tuple[str, str]]:
        """The columns at the far end of all that a column is made of."""
        ends: dict[tuple[str, str], None] = {}
        waiting, seen = [(node, column)], {(node, column)}
        while waiting:
            at = waiting.pop(0)
            before = self.next_to(*at, UP) if at[1] else []
            if not before and at != (node, column):
                ends.setdefault(at)
            fresh = [each for each in before if each not in seen]
            seen.update(fresh)
            waiting += fresh
        return list(ends)


def _mart(known: _Known, node: Row) -> Mart:
    facts, name = known.facts, node["alias"]
    owner = known.groups.get(node.get("group") or "", {})
    rows = known.metrics.get(f"marts.{name}", [])
    live = facts.live
    counts = facts.version_rows.get(live.number, {}) if live else {}
    before = facts.version_rows.get(live.number - 1, {}) if live else {}
    drifts = [row for row in rows if row["state"] in {"anomaly", "adopted", "recovered"}]
    return Mart(
        id=node["unique_id"], name=name, description=node["description"], grain=_grain(node),
        owner=owner.get("name") or str(node["config"]["meta"].get("owner") or "nobody"),
        contact=owner.get("email") or "", enforced=bool(node["config"]["contract"]["enforced"]),
        columns=_columns(known, node, rows), tests=_tests(known, node),
        tested_by=known.tested.get("run_id", ""),
        rows=counts.get(name), rows_before=before.get(name),
        published=live.published_at if live else None,
        sources=_sources(known, node["unique_id"]), users=list(_users(known, node["unique_id"])),
        volume=[row for row in rows if (row["column_name"], row["metric"]) == ("", "rows")],
        drifts=drifts[::-1],
        incidents=[row for row in facts.incidents if row["state"] != "resolved"
                   and node["unique_id"] in row.get("nodes", [])],
        score=next((row["score"] for row in facts.scores if row["mart"] == name), None),
    )  # fmt: skip


def _grain(node: Row) -> str:
    """What one row is: as the YAML says it, or the key that holds rows apart."""
    if grain := node["config"]["meta"].get("grain"):
        return str(grain)
    keys = (index["columns"] for index in node["config"].get("indexes") or []
            if index.get("unique"))  # fmt: skip
    key = next(keys, None)
    return f"one row per {' and '.join(key)}" if key else ""


def _columns(known: _Known, node: Row, rows: list[Row]) -> list[MartColumn]:
    catalog = known.facts.catalog.get("nodes", {}).get(node["unique_id"], {}).get("columns", {})
    measured: dict[tuple[str, str], Row] = {}
    for row in rows:  # oldest first
        measured[row["column_name"], row["metric"]] = row
    names = dict.fromkeys([*node["columns"], *catalog])
    return [
        _column(known, node, name, (catalog.get(name) or {}).get("type", ""), measured)
        for name in names
    ]


def _column(
    known: _Known, node: Row, name: str, type_: str, measured: dict[tuple[str, str], Row]
) -> MartColumn:
    promised: Row = node["columns"].get(name, {})
    here = node["unique_id"]
    nulls, distinct = measured.get((name, "null_share")), measured.get((name, "distinct"))
    return MartColumn(
        name, promised.get("data_type") or type_, promised.get("description", ""),
        bool(promised) and is_pii(promised), tuple(_promises(node, promised)),
        nulls["value"] if nulls else None, distinct["value"] if distinct else None,
        any(row["state"] in {"anomaly", "continuing"}
            for (column, _), row in measured.items() if column == name),
        tuple(_named(known.facts.graph, known.ends(here, name))),
        tuple(_named(known.facts.graph, known.next_to(here, name, UP))),
        tuple(_named(known.facts.graph, known.next_to(here, name, DOWN))),
    )  # fmt: skip


def _promises(node: Row, column: Row) -> Iterable[str]:
    """Constraints, and the key that an index enforces."""
    for constraint in column.get("constraints", []):
        kind = str(constraint["type"]).rpartition(".")[2].replace("_", " ")
        yield f"{kind} {constraint.get('expression') or ''}".strip()
    for index in node["config"].get("indexes") or []:
        if index.get("unique") and column.get("name") in index["columns"]:
            others = [name for name in index["columns"] if name != column["name"]]
            yield f"unique with {', '.join(others)}" if others else "unique"


def _named(graph: Graph, columns: list[tuple[str, str]]) -> Iterable[tuple[str, str, str]]:
    for node_id, column in columns:
        node = graph.nodes.get(node_id)
        name = node.name if node else node_id
        if node and node.kind == "endpoint":
            name = f"GET /{node.name}"
        yield node_id, name, column


def _tests(known: _Known, node: Row) -> list[MartTest]:
    described: dict[str, Any] = {
        **known.facts.manifest.get("nodes", {}), **known.facts.manifest.get("unit_tests", {})
    }  # fmt: skip
    mine = {
        id_ for id_, test in described.items()
        if test["resource_type"] in {"test", "unit_test"}
        and node["unique_id"] in test["depends_on"]["nodes"]
    }  # fmt: skip
    tests = [test for test in known.tested.get("tests", []) if test["unique_id"] in mine]
    return [
        MartTest(
            test["name"], test["column_name"] or "", test["severity"], test["status"],
            test["failures"], described[test["unique_id"]].get("description") or "",
        )
        for test in sorted(tests, key=lambda test: (test["status"] == "pass", test["name"]))
    ]  # fmt: skip


def _sources(known: _Known, unique_id: str) -> list[Age]:
    """The ages of all source tables that the mart is made of."""
    parents = known.facts.manifest.get("parent_map", {})
    waiting, seen = [unique_id], {unique_id}
    while waiting:
        fresh = [parent for parent in parents.get(waiting.pop(), []) if parent not in seen]
        seen.update(fresh)
        waiting += fresh
    names = {".".join(each.split(".")[2:]) for each in seen if each.startswith("source.")}
    return [age for name, age in known.ages.items() if name in names]


def _users(known: _Known, unique_id: str) -> Iterable[User]:
    manifest = known.facts.manifest
    for child in manifest.get("child_map", {}).get(unique_id, []):
        if exposure := manifest.get("exposures", {}).get(child):
            owner = exposure["owner"]
            reads = (exposure["config"]["meta"].get("columns") or {}).get(known.pages[unique_id])
            said = f" Reads {plural(len(reads), 'column')}: {', '.join(reads)}." if reads else ""
            yield User(
                exposure.get("label") or exposure["name"], exposure["type"],
                owner.get("name") or owner.get("email") or "", exposure["description"] + said, "",
            )  # fmt: skip
        elif child.startswith("model."):
            node = manifest["nodes"][child]
            page = known.pages.get(child, "")
            yield User(node["alias"], "mart" if page else "model", "", node["description"], page)
