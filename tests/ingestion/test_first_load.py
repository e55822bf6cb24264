"""The first load of the demo shop: exactly the API's rows, in the types of the contract."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from ingestion.load import LoadRecord
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.ingestion.conftest import Load
from tests.ingestion.raw import counts, current, row_counts, said

PAGE_SIZE = 100


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with running(orders=20_000, days=45) as url:
        yield url


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "not" / "there" / "yet"


@pytest.fixture(scope="module")
def loaded(
    new_database: Callable[[], Warehouse], load_into: Load, shop: str, artifacts: Path
) -> tuple[Warehouse, LoadRecord]:
    warehouse = new_database()
    return warehouse, load_into(warehouse, shop, page_size=PAGE_SIZE, artifacts=artifacts)


@pytest.fixture
def raw(loaded: tuple[Warehouse, LoadRecord]) -> Warehouse:
    return loaded[0]


@pytest.fixture
def record(loaded: tuple[Warehouse, LoadRecord]) -> LoadRecord:
    return loaded[1]


def test_raw_counts_what_the_api_counts(raw, shop):
    expected = row_counts(shop)
    expected["orders__items"] = expected.pop("items")
    assert counts(raw) == expected
    assert expected["orders"] > 2 * PAGE_SIZE, "several pages, or this proves little"


def test_raw_holds_every_value_as_the_api_said_it(raw, shop):
    assert current(raw) == said(shop)


@pytest.mark.parametrize(
    ("table", "column", "type_"),
    [
        ("orders", "subtotal", "bigint"),
        ("orders", "ordered_at", "timestamp without time zone"),
        ("orders__items", "_dlt_list_idx", "bigint"),
        ("products", "price", "bigint"),
        ("products", "description", "character varying"),
        ("stores", "tax_rate", "numeric(9,6)"),
        ("stores", "opened_at", "timestamp without time zone"),
        ("supplies", "perishable", "boolean"),
        ("customers", "_dlt_valid_to", "timestamp with time zone"),
    ],
)
def test_columns_have_the_types_of_their_contract(raw, table, column, type_):
    sql = """select format_type(atttypid, atttypmod) from pg_attribute
             where attrelid = %s::regclass and attname = %s"""
    assert query(raw, sql, f"raw_jaffle_shop.{table}", column) == [(type_,)]


def test_every_row_says_which_load_brought_it_and_has_its_id(raw, record):
    for table, rows in counts(raw).items():
        sql = f"""select count(distinct _dlt_id), array_agg(distinct _dlt_load_id)
                  from raw_jaffle_shop.{table}"""
        assert query(raw, sql) == [(rows, record.load_ids)]


def test_every_item_finds_its_order(raw):
    sql = """select count(*) from raw_jaffle_shop.orders__items as item
             left join raw_jaffle_shop.orders as parent
                 on parent._dlt_id = item._dlt_parent_id and parent.id = item.order_id
             where parent.id is null"""
    assert query(raw, sql) == [(0,)]


@pytest.mark.parametrize("table", ["orders", "customers", "supplies"])
def test_every_row_says_on_which_page_it_came(raw, record, table):
    sql = f"select min(_page), count(distinct _page) from raw_jaffle_shop.{table}"
    assert query(raw, sql) == [(1, record.pages[table])]
    assert "page_size=" in record.queries[table]


def test_the_endpoint_items_is_left_out_unless_asked_for(raw, record):
    assert query(raw, "select to_regclass('raw_jaffle_shop.items')") == [(None,)]
    assert "items" not in record.received


def test_the_record_counts_pages_and_rows_and_names_the_endpoints(raw, record, shop):
    expected = row_counts(shop)
    del expected["items"]
    assert record.received == expected
    assert record.loaded == counts(raw)
    assert record.pages == {name: -(-rows // PAGE_SIZE) for name, rows in expected.items()}
    assert record.endpoints == {name: f"{shop}/{name}" for name in expected}


def test_the_record_tells_the_rest_of_the_story(raw, record):
    assert (record.source, record.dataset) == ("jaffle_shop", "raw_jaffle_shop")
    assert query(raw, "select load_id, status from raw_jaffle_shop._dlt_loads") == [
        (record.load_ids[0], 0)
    ]
    [[schema]] = query(raw, "select version_hash from raw_jaffle_shop._dlt_version")
    assert record.schema_hash == schema
    assert record.started_at < record.finished_at <= datetime.now(UTC)
    assert (record.error, record.retries, record.mended) == (None, [], {})


def test_dlt_leaves_its_trace_and_its_schema(record, artifacts):
    assert sorted(each.name for each in artifacts.iterdir()) == [
        "jaffle_shop.schema.yaml",
        "jaffle_shop.trace.json",
    ]
    trace = json.loads((artifacts / "jaffle_shop.trace.json").read_text())
    assert [step["step"] for step in trace["steps"]] == ["extract", "normalize", "load"]
    schema = (artifacts / "jaffle_shop.schema.yaml").read_text()
    assert f"version_hash: {record.schema_hash}" in schema


def test_no_index_is_made_on_the_random_ids(raw):
    sql = "select indexname from pg_indexes where schemaname = 'raw_jaffle_shop' and tablename = %s"
    assert query(raw, sql, "orders") == []
