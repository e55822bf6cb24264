"""Orders are a log: every version is kept, the newest counts, nothing comes in twice."""

from datetime import date

import pytest

from ingestion.intake import Window
from tests.databases import query
from tests.ingestion.raw import contents, counts, current, said
from tests.ingestion.rows import make_orders


def versions(warehouse, key):
    """The subtotals of an order's versions, oldest first."""
    sql = "select subtotal from raw_jaffle_shop.orders where id = %s order by _dlt_load_id"
    return [row[0] for row in query(warehouse, sql, key)]


def test_an_order_that_changes_and_changes_back_is_there_three_times(peer, followed, load_into):
    for subtotal in ("700", "600", "600"):
        peer.tables["orders"][1]["subtotal"] = subtotal
        record = load_into(followed, peer.url)
    assert versions(followed, "o2") == [600, 700, 600]
    assert versions(followed, "o1") == [600]
    assert current(followed) == said(peer.url)
    assert record.loaded["orders"] == 0, "the last load brought what raw held"


def test_an_order_whose_items_change_comes_in_again_with_all_its_items(peer, followed, load_into):
    first = peer.tables["orders"][0]
    first["items"] = [*first["items"], {"id": "o1-2", "order_id": "o1", "sku": "BEV-001"}]
    loaded = load_into(followed, peer.url).loaded
    assert loaded == dict.fromkeys(loaded, 0) | {"orders": 1, "orders__items": 2}
    assert current(followed) == said(peer.url)
    first["items"] = []
    assert load_into(followed, peer.url).loaded["orders__items"] == 0
    assert current(followed) == said(peer.url)


def test_an_order_that_is_older_than_the_look_back_is_not_asked_for(peer, followed, load_into):
    peer.tables["orders"] += make_orders("old", day="2024-08-20") + make_orders(
        "late", day="2024-08-30"
    )
    assert load_into(followed, peer.url).loaded["orders"] == 1
    assert versions(followed, "late") == [600]
    assert versions(followed, "old") == []


def test_a_window_brings_what_is_older_than_the_look_back_and_leaves_the_cursor(
    peer, followed, load_into
):
    peer.tables["orders"] += make_orders("old", day="2024-08-20") + make_orders(
        "older", day="2024-08-01"
    )
    peer.tables["orders"][0]["subtotal"] = "9"  # within the window too, and changed
    peer.asked.clear()

    window = Window(since=_day(20), until=_day(31))
    record = load_into(followed, peer.url, window=window)

    assert peer.asked == ["/api/v1/orders?page_size=500&start_date=2024-08-20&end_date=2024-08-31"]
    assert {table: rows for table, rows in record.loaded.items() if rows} == {
        "orders": 1,
        "orders__items": 1,
    }
    assert versions(followed, "old") == [600]
    assert versions(followed, "older") == []
    peer.asked.clear()
    load_into(followed, peer.url)
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def test_a_window_that_raw_holds_already_brings_no_row(peer, followed, load_into):
    before = contents(followed)
    for window in (Window(), Window(since=_day(1), until=_day(31))):
        record = load_into(followed, peer.url, window=window)
        assert not any(record.loaded.values())
        assert record.pages == {"orders": 1}, "a window loads the log and nothing else"
    assert contents(followed) == before


def test_a_window_into_the_future_of_the_cursor_does_not_move_it(peer, followed, load_into):
    peer.tables["orders"] += make_orders("new", day="2024-10-01")
    assert load_into(followed, peer.url, window=Window(since=_day(1))).loaded["orders"] == 1
    peer.asked.clear()
    assert load_into(followed, peer.url).loaded["orders"] == 0
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
    """The orders changed while we were paging; either version may be first."""
    ids = [f"o{number}" for number in range(8)]
    older, newer = make_orders(*ids), make_orders(*ids, subtotal="700")
    peer.tables["orders"] = [*older, *newer]
    assert load_into(warehouse, peer.url).loaded["orders"] == 16
    peer.tables["orders"] = newer
    load_into(warehouse, peer.url)
    assert current(warehouse)["orders"] == said(peer.url)["orders"]


def test_a_load_without_a_single_order_still_makes_the_tables(peer, warehouse, load_into):
    peer.tables["orders"] = []
    load_into(warehouse, peer.url)
    assert counts(warehouse)["orders"] == counts(warehouse)["orders__items"] == 0
    load_into(warehouse, peer.url)
    peer.tables["orders"] = make_orders("o1")
    load_into(warehouse, peer.url)
    assert current(warehouse) == said(peer.url)


def test_no_new_order_is_no_reason_to_forget_the_cursor(peer, followed, load_into):
    everything, peer.tables["orders"] = peer.tables["orders"], []
    load_into(followed, peer.url)
    peer.asked.clear()
    peer.tables["orders"] = everything
    assert load_into(followed, peer.url).loaded["orders"] == 0
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def _day(day: int) -> date:
    return date(2024, 8, day)
