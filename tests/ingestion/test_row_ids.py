"""`_dlt_id` is the row's content and nothing else: the log and the snapshots depend on it."""

import pytest

from ingestion.decode import decode
from ingestion.sources.jaffle_shop.contract import ORDERS, PRODUCTS
from tests.ingestion.rows import ORDER, PRODUCT, Row, changed, order, page


def order_id(row: Row, **style) -> str:
    return decode(page(row, **style), ORDERS)["orders"]["_dlt_id"][0].as_py()


def product_id(**changes) -> str:
    table = decode(page(changed(PRODUCT, **changes)), PRODUCTS)["products"]
    return table["_dlt_id"][0].as_py()


def test_the_same_content_has_the_same_id_however_the_json_is_written():
    turned = dict(reversed(ORDER.items()))
    turned["items"] = [dict(reversed(item.items())) for item in ORDER["items"]]
    ids = {
        order_id(ORDER),
        order_id(ORDER),
        order_id(ORDER, indent=2),
        order_id(ORDER, separators=(",", ":")),
        order_id(turned),
    }
    assert len(ids) == 1


def test_the_id_does_not_depend_on_the_other_rows_of_the_page():
    alone = order_id(ORDER)
    table = decode(page(order(id="x", items=[]), ORDER, order(id="y")), ORDERS)["orders"]
    assert table["_dlt_id"][1].as_py() == alone


@pytest.mark.parametrize(
    "column", ["id", "customer_id", "store_id", "subtotal", "tax_paid", "order_total"]
)
def test_any_changed_column_changes_the_id(column):
    assert order_id(order(**{column: ORDER[column] + "1"})) != order_id(ORDER)


def test_a_changed_moment_changes_the_id():
    assert order_id(order(ordered_at="2024-09-01T08:15:01")) != order_id(ORDER)


@pytest.mark.parametrize(
    "items",
    [
        [],
        ORDER["items"][:1],
        ORDER["items"][::-1],
        [*ORDER["items"], ORDER["items"][0]],
        [ORDER["items"][0], changed(ORDER["items"][1], sku="BEV-002")],
    ],
    ids=["none", "one less", "turned round", "one twice", "another sku"],
)
def test_changed_items_change_the_id_of_their_order(items):
    assert order_id(order(items=items)) != order_id(ORDER)


def test_null_and_an_empty_text_have_different_ids():
    assert product_id(description=None) != product_id(description="")


def test_text_that_moves_from_one_column_to_the_next_changes_the_id():
    assert product_id(name="ab", type="c") != product_id(name="a", type="bc")


def test_an_item_keeps_its_id_while_its_order_stays_the_same():
    def items(row):
        return decode(page(row), ORDERS)["orders__items"]["_dlt_id"].to_pylist()

    assert items(ORDER) == items(order())
    assert not set(items(ORDER)) & set(items(order(subtotal="601")))
