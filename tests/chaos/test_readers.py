"""The reader of the chaos notices what readers must never see."""

import time
from collections.abc import Iterator

import pytest

from orchestration.warehouse import Warehouse
from tests.chaos.readers import Reader
from tests.databases import query
from tests.orchestration.marts import build, release


@pytest.fixture
def reader(warehouse: Warehouse) -> Iterator[Reader]:
    release(warehouse, 1)
    reader = Reader(warehouse, ["customers", "orders"])
    wait_for(reader, 1)
    yield reader
    reader.stop()


def wait_for(reader: Reader, states: int) -> None:
    deadline = time.monotonic() + 20
    while len(reader.seen) < states:
        assert time.monotonic() < deadline, reader.seen
        time.sleep(0.02)


def test_published_versions_in_their_order_are_as_it_should_be(
    reader: Reader, warehouse: Warehouse
) -> None:
    release(warehouse, 2)
    wait_for(reader, 2)
    assert reader.judge() == []


def test_a_row_that_goes_is_noticed(reader: Reader, warehouse: Warehouse) -> None:
    query(warehouse, "delete from marts.orders returning 1")
    wait_for(reader, 2)
    (wrong,) = reader.judge()
    assert "no version that was published" in wrong


def test_two_versions_at_once_are_noticed(reader: Reader, warehouse: Warehouse) -> None:
    build(warehouse, 2)
    query(
        warehouse,
        "begin; alter table marts.orders set schema public; "
        "alter table marts__next.orders set schema marts; commit; select 1",
    )
    wait_for(reader, 2)
    (wrong,) = reader.judge()
    assert "no version that was published" in wrong


def test_marts_that_vanish_are_noticed(reader: Reader, warehouse: Warehouse) -> None:
    query(warehouse, "alter schema marts rename to gone; select 1")
    deadline = time.monotonic() + 20
    while not reader.wrong and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "a reader found no marts any more" in reader.judge()


def test_a_version_that_comes_back_is_noticed(reader: Reader, warehouse: Warehouse) -> None:
    release(warehouse, 2)
    wait_for(reader, 2)
    reader.seen.append(reader.seen[0])
    (wrong,) = reader.judge()
    assert "an earlier version again" in wrong


def test_a_connection_that_is_cut_is_made_again(reader: Reader, warehouse: Warehouse) -> None:
    cut = "select pg_terminate_backend(pid) from pg_stat_activity "
    cut += "where application_name = 'chaos reader' and datname = current_database()"
    assert query(warehouse, cut) == [(True,)]
    release(warehouse, 2)
    wait_for(reader, 2)
    assert reader.cut >= 1
    assert reader.judge() == []
