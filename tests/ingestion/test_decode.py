"""A page of JSON becomes tables of exact types and values."""

from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from ingestion.decode import decode
from ingestion.sources.jaffle_shop.contract import ORDERS, PRODUCTS, STORES, SUPPLIES
from tests.ingestion.rows import ORDER, PRODUCT, STORE, SUPPLY, changed, order, page


def test_an_order_and_its_items_become_two_tables():
    tables = decode(page(ORDER), ORDERS)

    assert list(tables) == ["orders", "orders__items"]
    [row] = tables["orders"].drop_columns("_dlt_id").to_pylist()
    assert row == {
        "id": "o1",
        "customer_id": "c1",
        "store_id": "s1",
        "ordered_at": datetime(2024, 9, 1, 8, 15),
        "subtotal": 600,
        "tax_paid": 36,
        "order_total": 636,
    }
    items = tables["orders__items"].to_pylist()
    assert [(item["id"], item["order_id"], item["sku"]) for item in items] == [
        ("i1", "o1", "JAF-001"),
        ("i2", "o1", "BEV-001"),
    ]


def test_every_column_has_the_arrow_type_of_its_contract():
    assert _types(decode(page(ORDER), ORDERS)["orders"]) == {
        "id": pa.string(),
        "customer_id": pa.string(),
        "store_id": pa.string(),
        "ordered_at": pa.timestamp("us"),
        "subtotal": pa.int64(),
        "tax_paid": pa.int64(),
        "order_total": pa.int64(),
        "_dlt_id": pa.string(),
    }
    assert _types(decode(page(STORE), STORES)["stores"])["tax_rate"] == pa.decimal128(9, 6)
    assert _types(decode(page(SUPPLY), SUPPLIES)["supplies"])["perishable"] == pa.bool_()


def test_a_page_without_rows_has_the_same_types_as_one_with_rows():
    empty, full = decode(page(), ORDERS), decode(page(ORDER), ORDERS)
    assert {name: table.num_rows for name, table in empty.items()} == {
        "orders": 0,
        "orders__items": 0,
    }
    assert {name: table.schema for name, table in empty.items()} == {
        name: table.schema for name, table in full.items()
    }


def test_items_know_their_order_and_their_place_in_it():
    tables = decode(page(order(id="a"), order(id="b", items=[]), order(id="c")), ORDERS)

    a, _, c = tables["orders"]["_dlt_id"].to_pylist()
    items = tables["orders__items"].to_pylist()
    assert [(item["_dlt_parent_id"], item["_dlt_list_idx"]) for item in items] == [
        (a, 0),
        (a, 1),
        (c, 0),
        (c, 1),
    ]
    assert len({item["_dlt_id"] for item in items}) == 4


def test_a_page_of_orders_without_items_is_good():
    tables = decode(page(order(items=[]), order(id="o2", items=[])), ORDERS)
    assert tables["orders"].num_rows == 2
    assert tables["orders__items"].num_rows == 0


def test_texts_survive_whatever_they_hold():
    texts = [
        "",
        " ",
        "O'Brien",
        'a "quoted" \\ one',
        "Zoë 😀 漢字",
        "two\nlines\tand tabs",
        "\\u0000",
    ]
    rows = [changed(PRODUCT, sku=str(n), name=text) for n, text in enumerate(texts)]
    for style in ({}, {"ensure_ascii": False}):
        table = decode(page(*rows, resource="products", **style), PRODUCTS)["products"]
        assert table["name"].to_pylist() == texts


def test_an_empty_text_and_null_stay_two_things():
    rows = [changed(PRODUCT, sku="a", description=""), changed(PRODUCT, sku="b", description=None)]
    table = decode(page(*rows), PRODUCTS)["products"]
    assert table["description"].to_pylist() == ["", None]


def test_a_key_that_may_be_null_may_be_left_out():
    table = decode(page(changed(PRODUCT, description=...)), PRODUCTS)["products"]
    assert table["description"].to_pylist() == [None]


def test_money_and_rates_are_exact_up_to_their_limits():
    most = 2**63 - 1
    orders = decode(page(order(subtotal=str(most))), ORDERS)["orders"]
    assert orders["subtotal"].to_pylist() == [most]

    rates = ["0", "0.06", "0.070000", "0.123456", "1", "1e-2"]
    stores = decode(page(*(changed(STORE, tax_rate=rate) for rate in rates)), STORES)["stores"]
    assert stores["tax_rate"].to_pylist() == [Decimal(rate) for rate in rates]


def test_pretty_printed_json_is_read_like_any_other():
    plain, pretty = decode(page(ORDER), ORDERS), decode(page(ORDER, indent=4), ORDERS)
    assert plain == pretty


def _types(table: pa.Table) -> dict[str, pa.DataType]:
    return dict(zip(table.schema.names, table.schema.types, strict=True))
