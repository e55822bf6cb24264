"""Every kind of breach is refused, with a sentence that names row, column, rule and value."""

from datetime import datetime, timedelta

import pytest

from ingestion.contract import Column, Contract
from ingestion.decode import decode
from ingestion.sift import sift
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
    ("orders", {"id": None}, "column id: expected a string without NUL, of the form"),
    ("orders", {"id": None}, "got null"),
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
    found = sift(page(good, changed(good, **changes), good), contract)
    (breach,) = found.breaches
    assert str(breach).startswith("row 2, ")
    assert said in str(breach)
    assert found.tables[contract.table].num_rows == 2


@pytest.mark.parametrize("resource", GOOD)
def test_the_row_that_the_broken_ones_were_made_from_is_good(resource):
    contract, good = GOOD[resource]
    assert decode(page(good), contract)[contract.table].num_rows == 1


@pytest.mark.parametrize("row", [b"null", b"1", b'"o1"', b"[]", b"true"])
def test_a_row_that_is_no_object_is_refused_and_kills_nothing(row):
    assert refusal([ORDER, row], ORDERS) == f"row 2, row: expected an object, got {row.decode()}"


def test_a_page_of_one_broken_row_is_refused_too():
    assert refusal([order(subtotal=None)], ORDERS).startswith("row 1, column subtotal")


def test_the_good_rows_of_a_broken_page_are_what_they_would_be_alone():
    rows = [order(id=f"o{number}", subtotal=["7", "-1", 7][number % 3]) for number in range(20)]
    found = sift(page(*rows), ORDERS)
    assert [breach.row - 1 for breach in found.breaches] == [n for n in range(20) if n % 3]
    alone = decode(page(*(row for row in rows if row["subtotal"] == "7")), ORDERS)
    assert found.tables == alone


def test_an_order_dated_today_is_no_breach_in_any_time_zone():
    now = (datetime.now() + timedelta(hours=14)).isoformat(timespec="seconds")
    assert decode(page(order(ordered_at=now)), ORDERS)["orders"].num_rows == 1


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


WORDS = Contract(
    "words",
    ("id",),
    (
        Column("id", "text", pattern="[a-z]+|[0-9]"),
        Column("size", "text", nullable=True, allowed=("S", "M")),
    ),
)


@pytest.mark.parametrize("row", [{"id": "ab", "size": "M"}, {"id": "7", "size": None}])
def test_a_text_of_the_right_form_and_among_those_allowed_is_kept(row):
    assert sift(page(row), WORDS).breaches == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "ab\n", "size": "M"}, 'of the form [a-z]+|[0-9], got "ab\\n"'),
        ({"id": "77", "size": "M"}, "column id: expected a string without NUL, of the form"),
        ({"id": "a", "size": "L"}, 'one of S, M or null, got "L"'),
        ({"id": "a", "size": "s"}, "column size"),
    ],
)
def test_a_text_of_another_form_or_not_among_those_allowed_is_refused(row, said):
    assert said in refusal([row], WORDS)


def test_a_value_of_another_kind_of_json_is_a_changed_column_and_a_bad_one_is_not():
    kinds = {
        "unknown": {"extra": 1}, "changed": {"subtotal": 600}, "value": {"subtotal": "-1"},
    }  # fmt: skip
    for kind, changes in kinds.items():
        (breach,) = sift(page(order(**changes)), ORDERS).breaches
        assert breach.kind == kind


def refusal(rows: list[Row | bytes], contract: Contract) -> str:
    (breach,) = sift(page(*rows), contract).breaches
    return str(breach)
