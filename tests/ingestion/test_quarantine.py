"""Rows that break the contract are set aside, each once; the good ones of the same page load."""

import json
from dataclasses import replace

import pytest

from ingestion.contract import Limit
from ingestion.errors import RowsRejected
from ingestion.sources.jaffle_shop import contract as shop
from tests.databases import query
from tests.ingestion.raw import contents, current, exists
from tests.ingestion.rows import CUSTOMER, SUPPLY, changed, make_orders

pytestmark = pytest.mark.slow
OPEN = """select path, reason, value, content from raw_jaffle_shop.{}__rejected
          where released_at is null order by first_seen_at, row_number"""


def rejected(warehouse, table="orders"):
    """What is in quarantine: path, reason, value, the row."""
    if not exists(warehouse, f"{table}__rejected"):
        return []
    return [(*row[:3], json.loads(row[3])) for row in query(warehouse, OPEN.format(table))]


def ids(warehouse, table):
    return sorted(row[0] for row in current(warehouse)[table])


@pytest.fixture
def shop_contract(monkeypatch):
    """Change the contract of a table for one test."""

    def change(name, **changes):
        before = getattr(shop, name)
        changed_ = replace(before, **changes)
        import ingestion.sources.jaffle_shop as source

        monkeypatch.setattr(source, name, changed_, raising=False)
        rest = tuple(changed_ if each is before else each for each in source.SNAPSHOTS)
        monkeypatch.setattr(source, "SNAPSHOTS", rest)

    return change


def test_a_broken_row_is_set_aside_with_all_that_is_known_of_it(peer, warehouse, load_into):
    peer.tables["orders"] = make_orders("o1", "o2", "o3")
    peer.tables["orders"][2]["subtotal"] = "-1"
    record = load_into(warehouse, peer.url, page_size=2, run_id="r1")

    assert ids(warehouse, "orders") == ["o1", "o2"]
    assert {row[1] for row in current(warehouse)["orders__items"]} == {"o1", "o2"}
    assert record.rejected == {"orders": 1}
    assert rejected(warehouse) == [
        ("column subtotal", "expected a whole number in a string, at least 0", "-1",
         peer.tables["orders"][2])
    ]  # fmt: skip
    sql = """select key, run_id, endpoint, page, row_number, first_seen_at > now() - interval '1 h',
             _dlt_load_id = (select max(load_id) from raw_jaffle_shop._dlt_loads)
             from raw_jaffle_shop.orders__rejected"""
    assert query(warehouse, sql) == [("o3", "r1", f"{peer.url}/orders", 2, 1, True, True)]


def test_a_broken_row_that_is_sent_again_is_counted_and_not_kept_twice(peer, followed, load_into):
    peer.tables["orders"][0]["items"][0]["sku"] = None
    before = contents(followed)
    for _ in range(2):
        record = load_into(followed, peer.url)
        assert record.rejected == {"orders": 1}
        assert set(record.loaded.values()) == {0}
    assert len(rejected(followed)) == 1
    assert rejected(followed)[0][0] == "column items[0].sku"
    assert contents(followed) == before, "the earlier version of the order and its items stay"


def test_a_good_row_of_its_key_releases_it(peer, followed, load_into):
    peer.tables["orders"][0]["subtotal"] = "-1"
    load_into(followed, peer.url, run_id="r1")
    peer.tables["orders"][0]["subtotal"] = "700"
    record = load_into(followed, peer.url, run_id="r2")
    assert (record.rejected, record.released) == ({}, {"orders": 1})
    assert rejected(followed) == []
    sql = "select run_id, released_by, released_how from raw_jaffle_shop.orders__rejected"
    assert query(followed, sql) == [("r1", "r2", "a good row of its key has come")]


@pytest.mark.parametrize("changes", [{"name": None}, {"id": None}, {"email": "a@b.c"}])
def test_a_rejected_row_of_a_snapshot_retires_nothing(peer, followed, load_into, changes):
    before = contents(followed)
    peer.tables["customers"][0] = changed(CUSTOMER, **changes)
    record = load_into(followed, peer.url)
    assert record.rejected == {"customers": 1}
    assert contents(followed) == before
    assert len(rejected(followed, "customers")) == 1

    peer.tables["customers"] = [changed(CUSTOMER, id="c2", name="Grace Hopper")]
    load_into(followed, peer.url)
    assert ids(followed, "customers") == ["c2"], "who is really gone is gone"


def test_a_snapshot_whose_rows_are_all_broken_on_the_first_load_is_an_empty_table(
    peer, warehouse, load_into
):
    peer.tables["supplies"] = [changed(SUPPLY, cost="free")]
    load_into(warehouse, peer.url)
    assert current(warehouse)["supplies"] == set()
    assert exists(warehouse, "supplies")


@pytest.mark.parametrize("page_size", [1, 500], ids=["on two pages", "on one page"])
def test_of_two_rows_of_one_key_that_differ_the_later_one_is_set_aside(
    peer, followed, load_into, page_size
):
    before = contents(followed)
    peer.tables["supplies"] += [changed(SUPPLY, cost="8")]
    record = load_into(followed, peer.url, page_size=page_size)
    assert record.rejected == {"supplies": 1}
    assert contents(followed) == before
    assert rejected(followed, "supplies")[0][:3] == (
        "key id, sku", "its key stands on an earlier row that differs", "SUP-001, JAF-001"
    )  # fmt: skip
    load_into(followed, peer.url, page_size=page_size)
    assert len(rejected(followed, "supplies")) == 1, "the good row beside it does not release it"


def test_too_many_broken_rows_stop_the_load_and_nothing_is_visible(peer, followed, load_into):
    before = contents(followed)
    names = [f"n{number:02}" for number in range(60)]
    peer.tables["orders"] += make_orders(*names)
    for row in peer.tables["orders"][-6:]:
        row["subtotal"] = "-1"
    with pytest.raises(RowsRejected) as refused:
        load_into(followed, peer.url, page_size=50)
    assert str(refused.value).startswith(f"orders, page 2 ({peer.url}/orders?page_size=50&")
    assert "6 of 13 rows broke the contract: row 8, column subtotal: expected a" in str(
        refused.value
    )
    assert str(refused.value).count("got") == 3
    assert "(and 3 more). That makes 6 of 63 rows of orders" in str(refused.value)
    assert "allows 1,000 rows or 5%. Nothing of this load is visible; mend" in str(refused.value)
    assert contents(followed) == before
    assert not exists(followed, "orders__rejected")

    peer.tables["orders"][-1]["subtotal"] = "1"
    assert load_into(followed, peer.url, page_size=50).rejected == {"orders": 5}


def test_a_limit_in_rows_stops_at_once_and_one_that_warns_leaves_a_sentence(
    peer, followed, load_into, shop_contract
):
    shop_contract("ORDERS", stop=Limit(2, 1), warn=Limit(1, 1))
    for row in peer.tables["orders"][:2]:
        row["subtotal"] = "-1"
    record = load_into(followed, peer.url)
    assert record.warned == ["2 of 3 rows of orders were rejected, more than 1 rows or 100%"]
    peer.tables["orders"][2]["subtotal"] = "-1"
    with pytest.raises(RowsRejected, match="3 of 3 rows of orders, and the contract allows 2 rows"):
        load_into(followed, peer.url)


def test_a_new_column_is_an_event_and_its_rows_are_set_aside(peer, followed, load_into):
    peer.tables["products"][0]["colour"] = "red"
    record = load_into(followed, peer.url)
    assert record.changes == ["products: new column colour (rows with it are set aside)"]
    assert record.rejected == {"products": 1}
    assert rejected(followed, "products")[0][:2] == (
        "column colour", "the contract does not know it"
    )  # fmt: skip


@pytest.mark.parametrize("changes", [{"colour": "red"}, {"price": 1100}])
def test_a_frozen_contract_stops_at_a_new_or_changed_column(
    peer, followed, load_into, shop_contract, changes
):
    shop_contract("PRODUCTS", unknown="freeze")
    before = contents(followed)
    peer.tables["products"][0].update(changes)
    with pytest.raises(RowsRejected, match="The contract of products is frozen"):
        load_into(followed, peer.url)
    assert contents(followed) == before


def test_a_contract_that_evolves_gives_raw_the_new_column_as_text(
    peer, followed, load_into, shop_contract
):
    for name in ("ORDERS", "CUSTOMERS"):
        shop_contract(name, unknown="evolve")
    before = contents(followed)
    peer.tables["customers"] = [
        CUSTOMER | {"tier": "gold"}, changed(CUSTOMER, id="c2", name="Grace Hopper"),
        changed(CUSTOMER, id="c3") | {"tier": {"level": 2}, "Name": "no plain name"},
        changed(CUSTOMER, id="c4") | {"tier": 7},
    ]  # fmt: skip
    peer.tables["orders"][0]["items"][0]["size"] = "L"
    record = load_into(followed, peer.url, page_size=2)
    assert sorted(record.changes) == [
        "customers: new column Name (rows with it are set aside)",
        "customers: new column tier (raw has it as text now)",
        "orders__items: new column size (raw has it as text now)",
    ]
    tiers = """select id, tier from raw_jaffle_shop.customers
               where _dlt_valid_to is null order by id"""
    assert query(followed, tiers) == [("c1", "gold"), ("c2", None), ("c4", "7")]
    assert [row[0] for row in rejected(followed, "customers")] == ["column Name"]
    assert record.loaded["customers"] == 2, "c2 is what it was, and has no new version"
    sizes = "select order_id, size from raw_jaffle_shop.orders__items where size is not null"
    assert query(followed, sizes) == [("o1", "L")]
    again = load_into(followed, peer.url, page_size=2)
    assert set(again.loaded.values()) == {0}
    assert before["orders"]
