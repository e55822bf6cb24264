"""The second load: nothing new brings nothing, a moved calendar brings what moved and no more."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from ingestion.demo_api.serve import running
from ingestion.load import LoadRecord
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.ingestion.conftest import Load
from tests.ingestion.raw import Rows, contents, counts, current, said

pytestmark = pytest.mark.slow

ORDERS, DAYS = 20_000, 40
ID, ORDERED_AT = 0, 3  # of a row of orders


class Shop:
    """The demo API on one day, what it says, and the database that follows it."""

    def __init__(self, url: str) -> None:
        self.url, self.said = url, said(url)


@pytest.fixture(scope="module")
def days() -> Iterator[list[Shop]]:
    """The shop on its 40th day and on the three after it."""
    with (
        running(orders=ORDERS, days=DAYS) as first,
        running(orders=ORDERS, days=DAYS + 1) as second,
        running(orders=ORDERS, days=DAYS + 3) as third,
    ):
        yield [Shop(url) for url in (first, second, third)]


@pytest.fixture(scope="module")
def story(
    new_database: Callable[[], Warehouse], load_into: Load, days: list[Shop]
) -> list[tuple[LoadRecord, dict[str, Rows], dict[str, int]]]:
    """Loads of day 40, 40 again, 41 and 43: each with what raw then held."""
    warehouse = new_database()
    told = []
    for shop in (days[0], days[0], days[1], days[2]):
        record = load_into(warehouse, shop.url)
        told.append((record, current(warehouse), counts(warehouse)))
    return told


def test_the_days_differ_in_orders_and_in_snapshots(days):
    for table in ("orders", "customers", "supplies"):
        assert days[0].said[table] != days[2].said[table]


def test_an_unmoved_calendar_loads_no_row(story):
    assert set(story[1][0].loaded.values()) == {0}
    assert story[1][1:] == story[0][1:]


def test_an_unmoved_calendar_asks_for_the_look_back_only(story, days):
    newest = max(row[ORDERED_AT] for row in days[0].said["orders"])
    start = (newest - timedelta(days=3)).date()
    again = [row for row in days[0].said["orders"] if row[ORDERED_AT].date() >= start]
    assert story[1][0].received["orders"] == len(again) < len(days[0].said["orders"])


@pytest.mark.parametrize(("before", "after", "load"), [(0, 1, 2), (1, 2, 3)])
def test_a_moved_calendar_loads_exactly_what_is_new_or_changed(story, days, before, after, load):
    record = story[load][0]
    new = {table: len(rows - days[before].said[table]) for table, rows in days[after].said.items()}
    assert record.loaded == new
    assert new["orders"] > 0
    gone = [row[ID] for row in days[before].said["orders"] - days[after].said["orders"]]
    assert set(gone) <= {row[ID] for row in days[after].said["orders"]}, "the shop loses no order"


def test_late_orders_come_in_too(story, days):
    newest = max(row[ORDERED_AT] for row in days[0].said["orders"])
    known = {row[ID] for row in days[0].said["orders"]}
    late = {
        row for row in days[1].said["orders"] if row[ORDERED_AT] <= newest and row[ID] not in known
    }
    assert late, "the demo shop reports some orders a day late"
    assert late <= story[2][1]["orders"]


@pytest.mark.parametrize(("load", "day"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_after_every_load_raw_says_what_the_api_says(story, days, load, day):
    assert story[load][1] == days[day].said


def test_raw_equals_a_load_from_scratch_of_the_same_api(story, days, warehouse, load_into):
    load_into(warehouse, days[2].url)
    assert current(warehouse) == story[3][1]


def test_the_history_of_the_log_only_grows(story):
    for (_, _, earlier), (_, _, later) in pairwise(story):
        assert all(later[table] >= rows for table, rows in earlier.items())


def test_the_cursor_is_committed_with_the_load_and_lives_in_the_warehouse(
    peer, warehouse, load_into
):
    load_into(warehouse, peer.url, lookback_days=2)
    assert peer.asked[-5:].count("/api/v1/orders?page_size=500") == 1
    peer.asked.clear()
    load_into(warehouse, peer.url, lookback_days=2)  # dlt's own folder is a new one
    assert "/api/v1/orders?page_size=500&start_date=2024-08-30" in peer.asked


def test_the_cursor_never_runs_back(peer, followed, load_into):
    peer.tables["orders"] = peer.tables["orders"][:1]
    peer.tables["orders"][0]["ordered_at"] = "2024-08-30T10:00:00"
    load_into(followed, peer.url)
    peer.asked.clear()
    load_into(followed, peer.url)
    assert "/api/v1/orders?page_size=500&start_date=2024-08-29" in peer.asked


def test_the_size_of_the_pages_makes_no_difference(days, warehouse, load_into):
    load_into(warehouse, days[0].url, page_size=37)
    small_pages = contents(warehouse)
    other = make_database(warehouse)
    load_into(other, days[0].url, page_size=10_000)
    assert small_pages == contents(other)
