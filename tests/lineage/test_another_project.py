"""The lineage of a dbt project that nobody here has written for: real dbt, real Postgres."""

from collections.abc import Iterator

import pytest

from orchestration.lineage.build import Lineage, build
from orchestration.lineage.graph import DIRECT, INDIRECT, UP
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.lineage.other_project import build_twice

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lineage(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lineage]:
    manifest, catalog = build_twice(tmp_path_factory.mktemp("other"), make_database(server))
    yield build(manifest, catalog, {})


def into(lineage: Lineage, node: str, kind: str) -> dict[str | None, set[str]]:
    """Column -> where it comes from, one step back."""
    found: dict[str | None, set[str]] = {}
    for edge in lineage.graph.edges:
        if edge.to_node == node and edge.kind == kind and edge.from_column:
            at = f"{edge.from_node.rpartition('.')[2]}.{edge.from_column}"
            found.setdefault(edge.to_column, set()).add(at)
    return found


def test_an_ephemeral_model_is_a_node_and_its_union_has_both_tables(lineage: Lineage) -> None:
    assert lineage.graph.nodes["model.other.all_sales"].unknown == ""
    direct = into(lineage, "model.other.all_sales", DIRECT)
    assert direct["cents"] == {"sales_fr.cents", "sales_de.cents"}
    assert "country" not in direct
    assert into(lineage, "model.other.priced", DIRECT)["gross"] == {"all_sales.cents", "rates.rate"}
    assert into(lineage, "model.other.priced", DIRECT)["country"] == {"all_sales.country"}


def test_an_incremental_model_reads_itself(lineage: Lineage) -> None:
    direct, indirect = (into(lineage, "model.other.sold", kind) for kind in (DIRECT, INDIRECT))
    assert direct["running"] == {"priced.lines", "priced.user_id", "priced.at"}
    assert direct["sku"] == {"priced.lines"}
    assert indirect == {None: {"priced.at", "sold.at", "priced.lines"}}


def test_a_snapshot_has_its_own_columns(lineage: Lineage) -> None:
    direct = into(lineage, "snapshot.other.users_history", DIRECT)
    assert direct["Full Name"] == {"users.Full Name"}
    assert direct["dbt_valid_from"] == direct["dbt_valid_to"] == {"users.updated_at"}
    assert direct["dbt_scd_id"] == {"users.id", "users.updated_at"}


def test_quoted_names_subqueries_and_groups(lineage: Lineage) -> None:
    direct, indirect = (into(lineage, "model.other.revenue", kind) for kind in (DIRECT, INDIRECT))
    assert direct == {
        "buyer": {"users.Full Name"}, "SKU": {"sold.sku"}, "total": {"sold.gross"},
        "emails": {"users_history.email"},
    }  # fmt: skip
    # that which decides the rows of the whole table is not said of a column a second time
    assert indirect == {
        None: {"users.id", "sold.user_id", "users_history.id", "users_history.dbt_valid_to",
               "users.Full Name", "sold.sku"},
    }  # fmt: skip


def test_owners_seeds_and_exposures(lineage: Lineage) -> None:
    nodes = lineage.graph.nodes
    assert nodes["model.other.revenue"].owner == "Ada <ada@example.com>"
    assert [column.name for column in nodes["model.other.revenue"].columns if column.pii] == [
        "buyer"
    ]
    assert [column.name for column in nodes["seed.other.rates"].columns] == ["country", "rate"]
    board = nodes["exposure.other.board"]
    assert [column.name for column in board.columns] == [
        f"revenue.{name}" for name in ("buyer", "SKU", "total", "n", "emails")
    ]


def test_the_way_back_from_an_exposure(lineage: Lineage) -> None:
    edges = lineage.graph.walk("exposure.other.board", "revenue.total", UP)
    roots = {f"{edge.from_node.rpartition('.')[2]}.{edge.from_column}" for edge in edges}
    assert {"sales_fr.cents", "sales_de.cents", "rates.rate"} <= roots
    assert not [root for root in roots if root.startswith("users")]


def test_what_cannot_be_parsed_is_said_and_stops_nothing(lineage: Lineage) -> None:
    unknown = {node.name: node.unknown for node in lineage.graph.nodes.values() if node.unknown}
    assert list(unknown) == ["untold"]
    assert unknown["untold"].startswith("the SQL cannot be parsed: ")
    # its columns are known from the warehouse, so that others can be traced as far as to it
    assert [each.name for each in lineage.graph.nodes["model.other.untold"].columns] == [
        "id", "looped"]  # fmt: skip
    assert into(lineage, "model.other.after_it", DIRECT) == {"key": {"untold.id"}}
    assert into(lineage, "model.other.untold", DIRECT) == {}
