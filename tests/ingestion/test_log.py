"""Orders are a log: every version is kept, the newest counts, nothing comes in twice."""

from datetime import date

import pytest

from ingestion.resources import Window
from tests.databases import query
from tests.ingestion.raw import contents, counts, current, said
from tests.ingestion.rows import changed, make_orders


def versions(warehouse, key):
    """The subtotals of an order's versions, oldest first."""
    sql = "select subtotal from raw_jaffle_shop.orders where id = %s order by _dlt_load_id"
    return [row[0] for row in query(warehouse, sql, key)]


def test_an_order_that_changes_and_changes_back_is_there_three_times(peer, warehouse, load_into):
    for subtotal in ("600", "700", "600", "600"):
        peer.tables["orders"][1]["subtotal"] = subtotal
        record = load_into(warehouse, peer.url)
    assert versions(warehouse, "o2") == [600, 700, 600]
    assert versions(warehouse, "o1") == [600]
    assert current(warehouse) == said(peer.url)
    assert record.loaded["orders"] == 0, "the fourth load brought what raw held"


def test_an_order_whose_items_change_comes_in_again_with_all_its_items(peer, warehouse, load_into):
    load_into(warehouse, peer.url)
    first = peer.tables["orders"][0]
    first["items"] = [*first["items"], {"id": "o1-2", "order_id": "o1", "sku": "BEV-001"}]
    assert load_into(warehouse, peer.url).loaded | {"orders": 1, "orders__items": 2} == (
        dict.fromkeys(counts(warehouse), 0) | {"orders": 1, "orders__items": 2}
    )
    assert current(warehouse) == said(peer.url)
    first["items"] = []
    assert load_into(warehouse, peer.url).loaded["orders__items"] == 0
    assert current(warehouse) == said(peer.url)


def test_an_order_that_is_older_than_the_look_back_is_not_asked_for(peer, warehouse, load_into):
    load_into(warehouse, peer.url)
    peer.tables["orders"] += make_orders("old", day="2024-08-20") + make_orders(
        "late", day="2024-08-30"
    )
    assert load_into(warehouse, peer.url).loaded["orders"] == 1
    assert versions(warehouse, "late") == [600]
    assert versions(warehouse, "old") == []


def test_a_window_brings_what_is_older_than_the_look_back_and_leaves_the_cursor(
    peer, warehouse, load_into
):
    load_into(warehouse, peer.url)
    peer.tables["orders"] += make_orders("old", day="2024-08-20") + make_orders(
        "older", day="2024-08-01"
    )
    peer.tables["orders"][0]["subtotal"] = "9"  # within the window too, and changed
    peer.asked.clear()

    window = Window(since=_day(20), until=_day(31))
    record = load_into(warehouse, peer.url, window=window)

    assert peer.asked == ["/api/v1/orders?page_size=500&start_date=2024-08-20&end_date=2024-08-31"]
    assert {table: rows for table, rows in record.loaded.items() if rows} == {
        "orders": 1,
        "orders__items": 1,
    }
    assert versions(warehouse, "old") == [600]
    assert versions(warehouse, "older") == []
    peer.asked.clear()
    load_into(warehouse, peer.url)
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def test_a_window_that_raw_holds_already_brings_no_row(peer, warehouse, load_into):
    load_into(warehouse, peer.url)
    before = contents(warehouse)
    for window in (
        Window(),
        Window(since=_day(1)),
        Window(until=_day(31)),
        Window(_day(1), _day(2)),
    ):
        record = load_into(warehouse, peer.url, window=window)
        assert not any(record.loaded.values())
        assert record.pages == {"orders": 1}, "a window loads the log and nothing else"
    assert contents(warehouse) == before


def test_a_window_into_the_future_of_the_cursor_does_not_move_it(peer, warehouse, load_into):
    load_into(warehouse, peer.url)
    peer.tables["orders"] += make_orders("new", day="2024-10-01")
    assert load_into(warehouse, peer.url, window=Window(since=_day(1))).loaded["orders"] == 1
    peer.asked.clear()
    assert load_into(warehouse, peer.url).loaded["orders"] == 0
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def test_a_window_may_come_before_the_first_load(peer, warehouse, load_into):
    assert load_into(warehouse, peer.url, window=Window(until=_day(31))).loaded == {
        "orders": 0,
        "orders__items": 0,
    }
    load_into(warehouse, peer.url)
    assert current(warehouse) == said(peer.url)


@pytest.mark.parametrize("page_size", [2, 500])
def test_an_order_that_stands_on_two_pages_is_loaded_once(peer, warehouse, load_into, page_size):
    """A new order pushed the others down while we were paging."""
    o1, o2, o3 = peer.tables["orders"]
    peer.tables["orders"] = [o1, o2, o2, o3]
    record = load_into(warehouse, peer.url, page_size=page_size)
    assert (record.received["orders"], record.loaded["orders"]) == (4, 3)
    assert record.loaded["orders__items"] == 3


def test_two_versions_of_an_order_in_one_load_settle_on_the_newest_in_the_next(
    peer, warehouse, load_into
):
    o1, o2, o3 = peer.tables["orders"]
    for subtotal in ("700", "800"):
        newer = changed(o1, subtotal=subtotal)
        peer.tables["orders"] = [o1, o2, newer]
        load_into(warehouse, peer.url)
        peer.tables["orders"] = [newer, o2, o3]
        load_into(warehouse, peer.url)
        assert current(warehouse)["orders"] == said(peer.url)["orders"]
        o1 = newer


def test_a_load_without_a_single_order_still_makes_the_tables(peer, warehouse, load_into):
    peer.tables["orders"] = []
    load_into(warehouse, peer.url)
    assert counts(warehouse)["orders"] == counts(warehouse)["orders__items"] == 0
    load_into(warehouse, peer.url)
    peer.tables["orders"] = make_orders("o1")
    load_into(warehouse, peer.url)
    assert current(warehouse) == said(peer.url)


def test_no_new_order_is_no_reason_to_forget_the_cursor(peer, warehouse, load_into):
    load_into(warehouse, peer.url)
    everything, peer.tables["orders"] = peer.tables["orders"], []
    load_into(warehouse, peer.url)
    peer.asked.clear()
    peer.tables["orders"] = everything
    assert load_into(warehouse, peer.url).loaded["orders"] == 0
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def _day(day: int) -> date:
    return date(2024, 8, day)
