"""`ecluse trace` on a shop with a history: sent again, gone, set aside, come back, compacted."""

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.load import load
from ingestion.stored import replayable
from orchestration.environment import tool_environment
from orchestration.errors import ConfigurationError
from orchestration.settings import Settings
from orchestration.tracing.shown import in_words
from orchestration.tracing.trace import Table, Trace, trace, whole_manifest
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.peer import Peer
from tests.ingestion.rows import CUSTOMER, PRODUCT, changed, make_orders
from tests.newcomer import copy_project, ecluse, own_environment, settings_for

pytestmark = pytest.mark.slow
SHOP = "jaffle_shop"


@dataclasses.dataclass
class Shop:
    """A shop that was published once. `loads` are the ids of the loads, the oldest first."""

    root: Path
    warehouse: Warehouse
    run_id: str
    loads: list[str]

    @property
    def settings(self) -> Settings:
        return settings_for(self.root, self.warehouse)

    def trace(self, mart: str, *key: str, limit: int = 5, clear: bool = False) -> Trace:
        with self.warehouse.session() as session:
            return trace(session, self.settings, mart, key, limit, clear)

    def table(self, name: str, mart: str, *key: str) -> Table:
        found = self.trace(mart, *key)
        assert not found.notes
        return next(table for table in found.tables if table.relation == name)

    def refusal(self, mart: str, *key: str) -> str:
        with pytest.raises(ConfigurationError) as refused:
            self.trace(mart, *key)
        return str(refused.value)


@pytest.fixture(scope="module")
def shop(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Three loads; the last one is that of the run which published."""
    root = copy_project(tmp_path_factory.mktemp("trace") / "clone")
    warehouse = make_database(server)
    with Peer() as peer:
        _first_loads(peer, warehouse, root)
        done = ecluse(root, "run", "--json", warehouse=warehouse,
                      SOURCES__JAFFLE_SHOP__BASE_URL=peer.url)  # fmt: skip
    record = json.loads(done.stdout)
    assert record["status"] == "published", done.stderr
    loads = query(warehouse, "select load_id from raw_jaffle_shop._dlt_loads order by load_id")
    yield Shop(root, warehouse, record["run_id"], [load_id for (load_id,) in loads])


def _first_loads(peer: Peer, warehouse: Warehouse, root: Path) -> None:
    """o1 is mended, c2 leaves, o8 is set aside, mended by hand and replayed; o9 waits for that."""

    def run(**options: object) -> None:
        load(SHOP, warehouse.url(), root / "work", base_url=peer.url, page_size=2, **options)

    with own_environment():
        os.environ.update(tool_environment(settings_for(root, warehouse), warehouse))
        peer.tables["products"] = [changed(PRODUCT, price="600"),
                                   changed(PRODUCT, sku="BEV-001", type="beverage")]  # fmt: skip
        peer.tables["orders"] = make_orders("o1", customer_id="c2") + make_orders("o2", "o3", "o4")
        peer.tables["orders"] += make_orders("o8", subtotal="-5")
        run()
        with warehouse.session() as session, session.cursor() as cursor:
            ((again,),) = replayable(cursor, SHOP, None).values()
            fixed = {again.id: again.content.replace('"-5"', '"600"')}
            mended = replayable(cursor, SHOP, None, fixed)
        run(again=mended, run_id="by hand")
        peer.tables["customers"] = [changed(CUSTOMER, name="Ada Lovelace"),
                                    changed(CUSTOMER, id="c3", name="Mary Somerville")]  # fmt: skip
        peer.tables["orders"] = make_orders("o1", "o2", "o3", "o4")
        peer.tables["orders"] += make_orders("o9", subtotal="-5")


def test_a_row_leads_to_its_raw_row_the_run_the_request_and_the_json_as_it_came(shop: Shop) -> None:
    found = shop.trace("orders", "o1")
    assert (found.version, found.built_by) == (1, shop.run_id)
    assert [table.relation for table in found.tables[:3]] == [
        "marts.orders", "staging.stg_jaffle_shop__orders", "raw_jaffle_shop.orders",
    ]  # fmt: skip
    raw = found.tables[2]
    assert raw.count == 1 and raw.origin
    (row,), (came,) = raw.origin.loads, raw.origin.rows
    assert (row.load_id, row.run_id, row.pages) == (shop.loads[2], shop.run_id, 1)
    assert row.endpoint and row.endpoint.endswith("/orders") and "page_size=" in str(row.query)
    assert (came.load_id, came.page, came.proven) == (shop.loads[2], 1, True)
    assert json.loads(str(came.payload)) == make_orders("o1")[0]
    assert found.tables[0].rows[0]["_dlt_load_id"] == shop.loads[2], "the id travels along"


def test_all_versions_of_a_row_are_told_and_the_used_one_is_marked(shop: Shop) -> None:
    origin = shop.table("raw_jaffle_shop.orders", "orders", "o1").origin
    assert origin
    versions = origin.rows[0].versions
    assert [(each.load_id, each.used) for each in versions] == [
        (shop.loads[0], False), (shop.loads[2], True),
    ]  # fmt: skip
    assert (versions[0].differs, versions[0].page) == ({"customer_id": "c2"}, 1)


def test_a_load_that_is_not_in_ops_is_told_without_a_run(shop: Shop) -> None:
    origin = shop.table("raw_jaffle_shop.orders", "orders", "o3").origin
    assert origin
    assert [(each.load_id, each.run_id) for each in origin.loads] == [(shop.loads[0], None)]
    assert origin.rows[0].page == 2, "the first load had two rows a page"


def test_a_row_that_came_back_from_quarantine_says_where_it_was_first(shop: Shop) -> None:
    origin = shop.table("raw_jaffle_shop.orders", "orders", "o8").origin
    assert origin
    came = origin.rows[0]
    assert (came.page, came.proven) == (None, True)
    assert came.set_aside
    assert came.set_aside["released_how"] == "replayed, edited by hand"
    assert (came.set_aside["page"], came.set_aside["released_by"]) == (3, "by hand")


def test_what_a_mart_sums_up_is_counted_and_the_first_rows_are_shown(shop: Shop) -> None:
    found = shop.trace("daily_sales", "s1", "2024-09-01", limit=2)
    counts = {table.relation: (table.count, len(table.rows)) for table in found.tables}
    assert counts["raw_jaffle_shop.orders"] == counts["marts.orders"] == (5, 2)
    assert counts["raw_jaffle_shop.orders__items"] == (5, 2)
    assert counts["raw_jaffle_shop.stores"] == (1, 1)
    assert any("last_day" in note and "made of all rows" in note for note in found.notes)
    said = "\n".join(in_words(found))
    assert "raw_jaffle_shop.orders: 5 rows, the first 2 of them (--limit)" in said


@pytest.mark.parametrize(
    ("mart", "key", "raw"),
    [
        ("order_items", ["o4-1"], {"orders__items": 1, "orders": 1, "products": 1, "supplies": 1}),
        ("products", ["JAF-001"], {"products": 1, "supplies": 1, "orders__items": 5, "orders": 5}),
        ("supplies", ["SUP-001", "BEV-001"], {"supplies": 1, "products": 1}),
        ("supplies", ["product_id=BEV-001"], {"supplies": 1, "products": 1}),
        ("customers", ["c1"], {"customers": 1, "orders": 5}),
        ("customer_cohorts", ["2024-09-01", "0"], {"orders": 5}),
        ("stores", ["s1"], {"stores": 1, "orders": 5}),
    ],
)
def test_every_mart_is_walked_back(shop: Shop, mart: str, key: list[str], raw: dict) -> None:
    found = shop.trace(mart, *key)
    counts = {table.relation.removeprefix("raw_jaffle_shop."): table.count
              for table in found.tables if table.origin}  # fmt: skip
    assert (counts, found.notes) == (raw, ())


def test_personal_data_is_masked_everywhere_unless_it_is_asked_for(shop: Shop) -> None:
    masked, clear = (shop.trace("customers", "c1", clear=clear) for clear in (False, True))
    for form in (json.dumps(dataclasses.asdict(masked), default=str), "\n".join(in_words(masked))):
        assert "***" in form
        assert "Ada" not in form
    (customers,) = (t.origin for t in clear.tables if t.relation == "raw_jaffle_shop.customers")
    assert customers and "Ada Lovelace" in str(customers.rows[0].payload)
    assert customers.rows[0].versions[0].differs["name"] == "Ada Byron"
    assert {each.load_id for each in customers.rows[0].versions} == {shop.loads[0], shop.loads[2]}


def test_unknown_marts_columns_and_keys_get_a_sentence(shop: Shop) -> None:
    assert "Did you mean orders?" in shop.refusal("order", "o1")
    assert "give supply_id and product_id" in shop.refusal("supplies", "SUP-001")
    assert "of its columns: order_id" in shop.refusal("orders", "o1", "o2")
    assert "invalid input syntax" in shop.refusal("orders", "ordered_at=o1")
    said = shop.refusal("orders", "o77")
    assert "marts.orders (version 1) has no row of order_id 'o77'" in said
    assert "raw_jaffle_shop.orders has no such row either. No row in quarantine" in said


def test_a_key_in_quarantine_is_found_there(shop: Shop) -> None:
    said = shop.refusal("orders", "o9")
    assert f"is in quarantine: run {shop.run_id} set it aside (page 1, row 5 of http" in said
    assert "column subtotal: expected a whole number" in said
    assert "ecluse quarantine show orders" in said


def test_a_row_that_has_left_the_source_is_found_in_raw(shop: Shop) -> None:
    said = shop.refusal("customers", "c2")
    assert f"raw_jaffle_shop.customers has it, from load {shop.loads[0]}" in said
    assert "gone from the source since" in said
    assert "Grace" not in said


def test_a_row_that_the_marts_have_not_seen_yet_is_found_in_raw(shop: Shop) -> None:
    query(shop.warehouse, """
        insert into raw_jaffle_shop._dlt_loads (load_id, schema_name, status, inserted_at)
        values ('9999999999.5', 'jaffle_shop', 0, now());
        insert into raw_jaffle_shop.orders (id, _dlt_load_id, _dlt_id, customer_id, store_id,
            ordered_at, subtotal, tax_paid, order_total)
        select new.id, '9999999999.5', 'z', customer_id, 's1', now(), 1, 1, 2
        from raw_jaffle_shop.orders as old cross join (values ('o50'), ('o3')) as new (id)
        where old.id = 'o1' and old.customer_id = 'c1' returning 1
    """)  # fmt: skip
    try:
        assert "were not built from yet: `.venv/bin/ecluse run`" in shop.refusal("orders", "o50")
        origin = shop.table("raw_jaffle_shop.orders", "orders", "o3").origin
        assert origin
        assert [each.used for each in origin.rows[0].versions] == [True, False]
    finally:
        for table, column in (("orders", "_dlt_load_id"), ("_dlt_loads", "load_id")):
            query(shop.warehouse, f"delete from raw_jaffle_shop.{table} "
                  f"where {column} = '9999999999.5' returning 1")  # fmt: skip


def test_history_that_was_compacted_is_said_to_be_gone(shop: Shop) -> None:
    query(shop.warehouse, "insert into ops.compactions (run_id, source, before_load, tables) "
          "values ('tidy', %s, %s, '{}') returning 1", SHOP, shop.loads[2])  # fmt: skip
    try:
        said = "\n".join(in_words(shop.trace("orders", "o1")))
        assert f"older than load {shop.loads[2]} was removed by run tidy (ecluse compact)" in said
    finally:
        query(shop.warehouse, "delete from ops.compactions returning 1")


def test_the_command_prints_json_and_a_missing_row_is_exit_code_2(shop: Shop) -> None:
    done = ecluse(shop.root, "trace", "orders", "o8", "--json", warehouse=shop.warehouse)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"][2]["origin"]["rows"][0]["proven"] is True
    done = ecluse(shop.root, "trace", "orders", "o99", warehouse=shop.warehouse)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_terminal_is_told_of_the_request_the_json_and_the_versions(shop: Shop) -> None:
    said = "\n".join(in_words(shop.trace("customers", "c1")))
    assert f"marts.customers, customer_id c1: version 1, built by run {shop.run_id}" in said
    assert re.search(r"page 1 of 1 of GET http://\S+/customers\?page_size=", said)
    assert 'came as {"id":"c1","name":"***"}' in said
    assert re.search(r"\* version of load \S+ \(this one is used\)", said)
    assert "replayed, edited by hand by run by hand; first came on page 3" in "\n".join(
        in_words(shop.trace("orders", "o8"))
    )


def test_what_a_deployment_has_not_compiled_is_read_from_the_version_before(tmp_path: Path) -> None:
    runs = {
        "deployment": {"a": ("new", "1"), "b": (None, "2"), "c": (None, "3")},
        "run": {"a": ("old", "0"), "b": ("then", "2"), "c": ("changed", "0")},
    }
    for name, nodes in runs.items():
        (tmp_path / name / "dbt").mkdir(parents=True)
        made = {id_: {"compiled_code": sql, "checksum": sum_} for id_, (sql, sum_) in nodes.items()}
        (tmp_path / name / "dbt" / "manifest.json").write_text(json.dumps({"nodes": made}))
    folders = [tmp_path / name for name in ("deployment", "gone", "run")]
    found = whole_manifest(folders)["nodes"]
    assert [node["compiled_code"] for node in found.values()] == ["new", "then", None]


def test_before_anything_is_published_there_is_nothing_to_trace(
    shop: Shop, warehouse: Warehouse
) -> None:
    refused = pytest.raises(ConfigurationError, match="No marts are published yet")
    with warehouse.session() as session, refused:
        trace(session, shop.settings, "orders", ["o1"])
    moved = settings_for(shop.root / "elsewhere", shop.warehouse)
    refused = pytest.raises(ConfigurationError, match="Trace where that run was")
    with shop.warehouse.session() as session, refused:
        trace(session, moved, "orders", ["o1"])
