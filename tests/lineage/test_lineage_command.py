"""`ecluse lineage`: what it prints, what it finds, and what it says of a typo."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestration.cli import lineage as commands
from orchestration.errors import ConfigurationError
from orchestration.lineage.finding import find_column, label
from orchestration.lineage.graph import INDIRECT, Column, Edge, Graph, Node
from tests.newcomer import ecluse

API, RAW = "endpoint.shop.orders", "source.p.shop.orders"
STG, MART = "model.p.stg", "model.p.orders"


def columns(*names: str) -> tuple[Column, ...]:
    return tuple(map(Column, names))


NODES = (
    Node(API, "endpoint", "api", "orders", "/orders", columns=columns("$.id", "$.sum")),
    Node(RAW, "raw", "raw", "orders", "raw_shop.orders", columns=columns("id", "sum")),
    Node(STG, "model", "staging", "stg_orders", "staging.stg_orders",
         columns=columns("id", "amount")),
    Node(MART, "model", "marts", "orders", "marts.orders", "Ada", "One row per order.",
         (Column("amount", "numeric", "Paid.", True), *columns("id", "n")), "b is not known."),
)  # fmt: skip
EDGES = [
    Edge(API, "$.id", RAW, "id"), Edge(API, "$.sum", RAW, "sum"), Edge(RAW, "id", STG, "id"),
    Edge(RAW, "sum", STG, "amount"), Edge(STG, "amount", MART, "amount"),
    Edge(STG, None, MART, "n"), Edge(STG, "id", MART, None, INDIRECT),
]  # fmt: skip
GRAPH = Graph({node.id: node for node in NODES}, EDGES)
Ask = Callable[..., Result]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command on a run that left this graph."""
    (tmp_path / "runs" / "r1").mkdir(parents=True)
    GRAPH.save(tmp_path / "runs" / "r1" / "lineage.json")
    monkeypatch.setattr(
        commands, "load_settings", lambda: type("", (), {"runs_dir": tmp_path / "runs"})
    )
    return lambda *args: CliRunner().invoke(commands.lineage, args)


def test_a_column_is_followed_up_to_the_json_and_down_to_the_mart(ask: Ask) -> None:
    lines = [line.strip("│├└─ ") for line in ask("stg_orders.amount").output.splitlines()]
    assert lines == [
        "staging.stg_orders.amount", "comes from", "raw_shop.orders.sum", "endpoint.orders.$.sum",
        "goes into", "marts.orders.amount",
    ]  # fmt: skip


def test_one_direction_alone(ask: Ask) -> None:
    assert "goes into" not in ask("stg_orders.amount", "--up").output
    assert "comes from" not in ask("stg_orders.amount", "--down").output


def test_of_several_the_mart_is_taken_and_the_others_are_named(ask: Ask) -> None:
    said = ask("orders.amount").output
    assert said.startswith("marts.orders.amount")
    assert "numeric · Paid. · personal data · Ada" in said
    assert "not all can be told: b is not known." in said
    assert "which rows there are: staging.stg_orders.id" in said
    assert "also: raw_shop.orders.id, endpoint.orders.id" not in said
    assert "also: raw_shop.orders.id" in ask("orders.id").output


def test_a_counted_column_and_one_made_of_nothing(ask: Ask) -> None:
    assert "staging.stg_orders (its rows are counted)" in ask("orders.n").output
    assert "nothing else: it is made here" in ask("marts.orders.id", "--up").output


def test_a_table_shows_each_of_its_columns_one_step_far(ask: Ask) -> None:
    said = ask("stg_orders").output
    assert "amount ← raw_shop.orders.sum" in said
    assert "amount → marts.orders.amount" in said


def test_json_has_every_edge(ask: Ask) -> None:
    found = json.loads(ask("orders.amount", "--up", "--json").output)
    assert (found["node"], found["column"], found["unknown"]) == (MART, "amount", "b is not known.")
    assert {edge["kind"] for edge in found["up"]} == {"direct", "indirect"}
    assert "down" not in found


def test_every_label_can_be_asked_for_again() -> None:
    for node in GRAPH.nodes.values():
        for column in node.columns:
            assert find_column(GRAPH, label(node, column.name))[0] == (node, column.name)


def test_names_are_found_in_any_case_and_as_paths() -> None:
    assert find_column(GRAPH, "Orders.$.SUM")[0][0].id == API
    assert find_column(GRAPH, "STG_ORDERS.Amount")[0][0].id == STG


def test_a_typo_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean stg_orders\.amount or"):
        find_column(GRAPH, "stg_orders.amout")
    with pytest.raises(ConfigurationError, match="no column or table 'xyz'"):
        find_column(GRAPH, "xyz")


def test_without_a_run_the_exit_code_is_2(project: Path) -> None:
    done = ecluse(project, "lineage", "orders.amount")
    assert done.returncode == 2
    assert done.stderr == "ecluse: No run has traced columns yet: `make run` does.\n"
