"""Every kind of breach is refused, with a sentence that names row, column, rule and value."""

from datetime import datetime, timedelta

import pytest

from ingestion.contract import Contract
from ingestion.decode import decode
from ingestion.errors import RowsRejected
from ingestion.sources.jaffle_shop.contract import CUSTOMERS, ORDERS, PRODUCTS, STORES, SUPPLIES
from tests.ingestion.rows import CUSTOMER, ORDER, PRODUCT, STORE, SUPPLY, Row, changed, order, page

GOOD = {
    "orders": (ORDERS, ORDER),
    "products": (PRODUCTS, PRODUCT),
    "stores": (STORES, STORE),
    "supplies": (SUPPLIES, SUPPLY),
    "customers": (CUSTOMERS, CUSTOMER),
}
WHOLE = "expected a whole number in a string, at least 0"
RATE = "expected a number in a string with at most 6 decimals, at least 0, at most 1"
MOMENT = "expected a time such as 2018-09-01T08:15:00"
ITEM = ORDER["items"][0]
# whole days: the tests' names hold it, and all workers must agree on those
LATER = (datetime.now() + timedelta(days=3)).strftime("%Y-%m-%dT00:00:00")

BREACHES = [
    # a key or a value that is not there
    ("orders", {"customer_id": ...}, "column customer_id: expected a string"),
    ("orders", {"customer_id": ...}, "but the key is missing"),
    ("orders", {"id": None}, "column id: expected a string without NUL, got null"),
    ("supplies", {"perishable": None}, "column perishable: expected true or false, got null"),
    ("stores", {"opened_at": None}, f"column opened_at: {MOMENT}, got null"),
    # another type than promised
    ("orders", {"subtotal": 600}, f"column subtotal: {WHOLE}, got 600"),
    ("orders", {"subtotal": {"cents": "600"}}, "column subtotal"),
    ("customers", {"name": True}, "column name: expected a string without NUL, got true"),
    ("customers", {"name": ["Ada"]}, 'got ["Ada"]'),
    ("supplies", {"perishable": "true"}, 'column perishable: expected true or false, got "true"'),
    ("supplies", {"perishable": 1}, "got 1"),
    # strings that are no whole number
    ("orders", {"subtotal": ""}, f'column subtotal: {WHOLE}, got ""'),
    ("orders", {"subtotal": "6e2"}, 'got "6e2"'),
    ("orders", {"subtotal": "0x10"}, 'got "0x10"'),
    ("orders", {"subtotal": "0X10"}, 'got "0X10"'),
    ("orders", {"subtotal": "6.00"}, 'got "6.00"'),
    ("orders", {"subtotal": "1_000"}, 'got "1_000"'),
    ("orders", {"subtotal": " 1"}, 'got " 1"'),
    ("orders", {"subtotal": "\uff19"}, "column subtotal"),
    ("orders", {"subtotal": str(2**63)}, f'got "{2**63}"'),
    # out of range
    ("orders", {"subtotal": "-1"}, f'column subtotal: {WHOLE}, got "-1"'),
    ("products", {"price": "-1"}, "column price"),
    ("stores", {"tax_rate": "1.000001"}, f'column tax_rate: {RATE}, got "1.000001"'),
    ("stores", {"tax_rate": "-0.01"}, 'got "-0.01"'),
    # no such decimal
    ("stores", {"tax_rate": "0.1234567"}, f'column tax_rate: {RATE}, got "0.1234567"'),
    ("stores", {"tax_rate": ""}, 'got ""'),
    ("stores", {"tax_rate": "NaN"}, 'got "NaN"'),
    ("stores", {"tax_rate": "Infinity"}, 'got "Infinity"'),
    ("stores", {"tax_rate": "0x1"}, 'got "0x1"'),
    ("stores", {"tax_rate": "1000"}, 'got "1000"'),
    # no such moment
    ("orders", {"ordered_at": "yesterday"}, f'column ordered_at: {MOMENT}, not in the future, got'),
    ("orders", {"ordered_at": ""}, 'got ""'),
    ("orders", {"ordered_at": "2024-02-30T08:15:00"}, 'got "2024-02-30T08:15:00"'),
    ("orders", {"ordered_at": "2024-09-01T24:00:00"}, "column ordered_at"),
    ("orders", {"ordered_at": "1725178500"}, "column ordered_at"),
    ("orders", {"ordered_at": "2024-09-01T08:15:00Z"}, 'got "2024-09-01T08:15:00Z"'),
    ("orders", {"ordered_at": "2024-09-01T08:15:00+02:00"}, "column ordered_at"),
    ("orders", {"ordered_at": "2024-09-01T08:15:00.1234567"}, "column ordered_at"),
    ("orders", {"ordered_at": "0000-01-01T00:00:00"}, "column ordered_at"),
    ("orders", {"ordered_at": LATER}, f'not in the future, got "{LATER}"'),
    # a column that nobody knows
    ("customers", {"email": "a@b.c"}, 'column email: the contract does not know it, got "a@b.c"'),
    ("customers", {"email": None}, "column email: the contract does not know it"),
    ("orders", {"items": [ITEM | {"size": "L"}]}, "column items[0].size: the contract does"),
    # items
    ("orders", {"items": ...}, "column items: expected a list"),
    ("orders", {"items": None}, "column items: expected a list, got null"),
    ("orders", {"items": {}}, "column items: expected a list, got {}"),
    ("orders", {"items": "i1"}, 'column items: expected a list, got "i1"'),
    ("orders", {"items": [ITEM, None]}, "items[1]: expected an object, got null"),
    ("orders", {"items": ["i1"]}, 'items[0]: expected an object, got "i1"'),
    ("orders", {"items": [ITEM, changed(ITEM, sku=None)]}, "column items[1].sku: expected a"),
    ("orders", {"items": [changed(ITEM, sku=...)]}, "column items[0].sku: expected a string"),
    # what no database can store
    ("customers", {"name": "a\0b"}, "column name: expected a string without NUL"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "changes", "said"), BREACHES)
def test_a_broken_row_is_refused_by_name(resource, changes, said):
    contract, good = GOOD[resource]
    sentence = refusal([good, changed(good, **changes), good], contract)
    assert "1 of 3 rows broke the contract: row 2, " in sentence
    assert said in sentence


@pytest.mark.parametrize("resource", GOOD)
def test_the_row_that_the_broken_ones_were_made_from_is_good(resource):
    contract, good = GOOD[resource]
    assert decode(page(good), contract)[contract.table].num_rows == 1


@pytest.mark.parametrize("row", [b"null", b"1", b'"o1"', b"[]", b"true"])
def test_a_row_that_is_no_object_is_refused_and_kills_nothing(row):
    sentence = refusal([ORDER, row], ORDERS)
    assert (
        f"1 of 2 rows broke the contract: row 2, row: expected an object, got {row.decode()}"
        in (sentence)
    )


def test_a_page_of_one_broken_row_is_refused_too():
    assert "1 of 1 rows broke the contract" in refusal([order(subtotal=None)], ORDERS)


def test_an_order_dated_today_is_no_breach_in_any_time_zone():
    now = (datetime.now() + timedelta(hours=14)).isoformat(timespec="seconds")
    assert decode(page(order(ordered_at=now)), ORDERS)["orders"].num_rows == 1


def test_the_sentence_says_where_and_what_to_do():
    sentence = refusal([order(subtotal="-1")], ORDERS)
    assert sentence.startswith("orders, page 7 (http://shop/api/v1/orders): ")
    assert sentence.endswith(
        "Nothing of this load is visible; mend the API, or the contract beside the source, and "
        "run again."
    )


def test_three_breaches_are_named_and_all_are_counted():
    rows = [order(id=str(number), subtotal="-1", tax_paid="-1") for number in range(5)]
    sentence = refusal([ORDER, *rows], ORDERS)
    assert "5 of 6 rows broke the contract" in sentence
    assert sentence.count("got") == 3
    assert "(and 7 more)" in sentence


def test_a_long_value_is_cut():
    sentence = refusal([order(subtotal="9" * 500)], ORDERS)
    assert "9" * 36 + "..." in sentence
    assert "9" * 37 not in sentence


def test_a_key_that_is_there_twice_is_refused():
    twice = b'{"id": "c1", "id": "c2", "name": "Ada"}'
    assert "specified twice" in refusal([CUSTOMER, twice], CUSTOMERS)


def test_half_an_emoji_is_broken_json_and_is_named():
    half = b'{"id": "c1", "name": "\\ud83d"}'
    assert "row 2, row: its JSON is broken" in refusal([CUSTOMER, half], CUSTOMERS)


def refusal(rows: list[Row | bytes], contract: Contract) -> str:
    with pytest.raises(RowsRejected) as refused:
        decode(page(*rows), contract)
    return str(refused.value)
