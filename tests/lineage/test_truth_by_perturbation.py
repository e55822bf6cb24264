"""The truth about lineage is tried: change one raw column, rebuild, and see which columns change.

Every column of raw, in several ways; what changes must be in the graph, and what the graph calls
direct must be seen to change.
"""

from collections.abc import Iterator

import pytest

from ingestion.demo_api.serve import running
from orchestration.lineage.graph import DIRECT, DOWN, INDIRECT, UP, Edge
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.lineage.demo import Demo, attempt, make_demo

pytestmark = pytest.mark.slow

SHIFTS = {
    "bigint": "{c} + 7", "integer": "{c} + 7", "boolean": "not {c}", "numeric": "{c} / 2",
    "character varying": "{c} || 'x'", "timestamp": "{c} + interval '40 days'",
}  # fmt: skip
CONSTANTS = {
    "bigint": "1", "integer": "1", "boolean": "true", "numeric": "0.01",
    "character varying": "(select min({c}) from {t})", "timestamp": "(select min({c}) from {t})",
}  # fmt: skip
# the values of other rows: of the one after it, and those of the mirrored order
SHUFFLE = """update {t} as t set {c} = s.value from (
    select ctid as row, lead({c}, 1, first_value({c}) over w) over w as value from {t}
    window w as (order by ctid)) as s where t.ctid = s.row"""
EVERY_THIRD = "update {t} set {c} = {shift} where abs(hashtext(ctid::text)) % 3 = 0"
Column = tuple[str, str]


@pytest.fixture(scope="module")
def demo(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(orders=2500, days=230) as api:
        yield make_demo(tmp_path_factory.mktemp("lineage"), make_database(server), api)


def changes_of(column: str, kind: str, table: str) -> Iterator[list[str]]:
    """Statements that change a column's values, a list for each way."""
    name = kind.partition("(")[0].partition(" with")[0]
    shift = SHIFTS[name].format(c=column)
    constant = CONSTANTS[name].format(c=column, t=table)
    yield [f"update {table} set {column} = {shift}"]
    yield [SHUFFLE.format(t=table, c=column)]
    yield [f"update {table} set {column} = {constant}"]
    yield [EVERY_THIRD.format(t=table, c=column, shift=shift)]
    yield [f"alter table {table} alter {column} drop not null",
           f"update {table} set {column} = null"]  # fmt: skip


def seen(demo: Demo) -> dict[Column, set[Column]]:
    """Which columns of marts change, for each raw column that is changed.

    Three ways at least, more as long as a direct edge has not been seen to change something.
    """
    found: dict[Column, set[Column]] = {}
    with demo.warehouse.session() as session, session.cursor() as at:
        for node in demo.lineage.graph.nodes.values():
            if not node.id.startswith("source."):
                continue
            models = demo.downstream(node.id)
            before = demo.state(at, models)
            for column in node.columns:
                changed = found.setdefault((node.id, column.name), set())
                hoped = claimed(demo, (node.id, column.name), DIRECT)
                changes = changes_of(column.name, column.type, node.relation)
                for number, change in enumerate(changes):
                    if number < 3 or hoped - changed:
                        after = attempt(at, demo, change, models) or before
                        changed |= {each for each, now in after.items() if now != before[each]}
    return found


def claimed(demo: Demo, column: Column, *kinds: str) -> set[Column]:
    """The columns of marts that the graph says a raw column reaches."""
    graph, marts = demo.lineage.graph, dict(demo.marts())
    found = set()
    for edge in graph.walk(*column, DOWN, kinds):
        if edge.to_node in marts:
            names = [each.name for each in graph.nodes[edge.to_node].columns]
            found |= {(edge.to_node, name) for name in names if edge.to_column in {None, name}}
    return found


def test_what_changes_is_in_the_graph_and_what_is_direct_changes(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = seen(demo)
    missing, unseen = set(), set()
    edges = direct = by_value = any_kind = 0
    for column, changed in truth.items():
        values = claimed(demo, column, DIRECT)
        reached = claimed(demo, column, DIRECT, INDIRECT)
        missing |= {(column, to) for to in changed - reached}
        unseen |= {(column, to) for to in values - changed}
        edges, direct = edges + len(changed), direct + len(values)
        by_value, any_kind = by_value + len(changed & values), any_kind + len(reached)
    with capsys.disabled():
        print(
            f"\nperturbation: {len(truth)} raw columns, {edges} of their effects seen, "
            f"{edges - len(missing)} in the graph ({by_value} as direct); "
            f"{direct - len(unseen)} of {direct} direct edges seen "
            f"({edges} of {any_kind} of any kind)"
        )
    assert edges > 300
    assert not missing
    assert len(unseen) <= 0.02 * direct, sorted(unseen)


def test_the_graph_goes_from_the_json_to_the_exposure(demo: Demo) -> None:
    graph = demo.lineage.graph
    assert not [node.id for node in graph.nodes.values() if node.unknown]
    edges = graph.walk("endpoint.jaffle_shop.orders", "$.items[].sku", DOWN)
    assert ("source.ecluse.jaffle_shop.orders__items", "sku") in ends(edges)
    assert ("model.ecluse.order_items", "product_id") in ends(edges)
    edges = graph.walk("endpoint.jaffle_shop.orders", "$.subtotal", DOWN)
    dashboard = "exposure.ecluse.morning_sales_dashboard"
    assert {name for id_, name in ends(edges) if id_ == dashboard} == {
        "daily_sales.subtotal", "daily_sales.gross_profit"}  # fmt: skip


def test_what_dlt_adds_and_what_is_set_aside_is_there(demo: Demo) -> None:
    graph = demo.lineage.graph
    hashed = graph.walk("source.ecluse.jaffle_shop.orders__items", "_dlt_parent_id", UP)
    assert {edge.from_column for edge in hashed} >= {"$.id", "$.items[].sku", "$.order_total"}
    aside = graph.walk("raw.jaffle_shop.customers__rejected", "content", UP)
    assert {edge.from_column for edge in aside} == {"$.id", "$.name"}
    assert next(each for each in graph.nodes["raw.jaffle_shop.customers__rejected"].columns
                if each.name == "content").pii  # fmt: skip


def test_nodes_know_their_owners_types_and_personal_data(demo: Demo) -> None:
    nodes = demo.lineage.graph.nodes
    assert nodes["model.ecluse.orders"].owner == "Sales analytics <sales-analytics@example.com>"
    assert nodes["model.ecluse.orders"].relation == "marts.orders"
    assert {node.layer for node in nodes.values()} == {
        "api", "raw", "staging", "intermediate", "marts", "exposures"}  # fmt: skip
    columns = {each.name: each for each in nodes["model.ecluse.customers"].columns}
    assert columns["customer_name"].pii
    assert columns["lifetime_spend"].type == "numeric(18, 2)"
    assert columns["lifetime_spend"].description


def ends(edges: list[Edge]) -> set[tuple[str, str | None]]:
    """Where edges lead to."""
    return {(edge.to_node, edge.to_column) for edge in edges}
