"""Publication beside readers: none sees two versions, an error or nothing at all."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import cursor

from orchestration.errors import PublishBlocked
from orchestration.publication.switch import Switched
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import ROWS, build, release, schemas, switch, version_in

pytestmark = pytest.mark.slow
NOTE = "alter table marts__next.orders add note text"
JOINED = """
select array_agg(distinct o.version), array_agg(distinct c.version), count(*)
from marts.orders as o join marts.customers as c using (id)
"""


@contextmanager
def reader(warehouse: Warehouse, begin: str = "begin") -> Iterator[cursor]:
    """A session in the middle of a transaction."""
    with warehouse.session("a reader") as session, session.cursor() as cursor:
        cursor.execute(begin)
        yield cursor


@contextmanager
def publishing(warehouse: Warehouse, timeout: float = 20.0) -> Iterator[Future[Switched]]:
    """A publication that goes on while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(switch, warehouse, timeout)


def blocked(warehouse: Warehouse, timeout: float = 0.5, **manner: object) -> str:
    began = time.monotonic()
    with pytest.raises(PublishBlocked) as caught:
        switch(warehouse, timeout, **manner)
    assert time.monotonic() - began < timeout + 4
    return str(caught.value)


@pytest.fixture
def marts(warehouse: Warehouse) -> Warehouse:
    """Version 1 is published, version 2 is built."""
    release(warehouse, 1)
    build(warehouse, 2)
    return warehouse


def test_a_repeatable_reader_sees_one_version_as_long_as_it_reads(marts: Warehouse) -> None:
    switch(marts)
    with reader(marts, "begin isolation level repeatable read") as cursor:
        cursor.execute("select 1")  # the snapshot is taken; no mart is touched yet
        build(marts, 3)
        with publishing(marts) as done:
            time.sleep(0.4)
            assert not done.done(), "to the old snapshot the new tables are empty"
            for _ in range(2):
                cursor.execute(JOINED)
                assert cursor.fetchone() == ([2], [2], ROWS)
            cursor.execute("commit")
            assert done.result(20).waited > 0.3
    assert version_in(marts) == 3


def test_a_snapshot_that_is_newer_than_the_build_is_not_waited_for(marts: Warehouse) -> None:
    with reader(marts, "begin isolation level repeatable read") as cursor:
        cursor.execute("select 1")
        switch(marts, timeout=1)
        cursor.execute(JOINED)
        assert cursor.fetchone() == ([2], [2], ROWS), "to it the new tables are full"


def test_a_reader_in_a_transaction_finishes_with_the_version_it_began_with(
    marts: Warehouse,
) -> None:
    with reader(marts) as cursor:
        cursor.execute("select distinct version from marts.orders")
        with publishing(marts) as done:
            time.sleep(0.5)
            assert not done.done()
            cursor.execute("select distinct version from marts.orders")
            assert cursor.fetchall() == [(1,)]
            cursor.execute("commit")
            done.result(20)
        cursor.execute("select distinct version from marts.orders")
        assert cursor.fetchall() == [(2,)]


def test_new_readers_are_served_while_publication_waits_for_an_old_one(marts: Warehouse) -> None:
    with reader(marts) as cursor:
        cursor.execute("select count(*) from marts.orders")
        with publishing(marts) as done:
            slowest = 0.0
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                began = time.monotonic()
                assert version_in(marts) == 1
                slowest = max(slowest, time.monotonic() - began)
            assert not done.done()
            cursor.execute("commit")
            done.result(20)
    assert slowest < 1.0, "the queue behind our lock is short"


def test_a_reader_that_does_not_end_is_named_and_the_old_marts_stay(marts: Warehouse) -> None:
    with reader(marts) as cursor:
        cursor.execute("select /* the slow one */ count(*) from marts.orders")
        told: list[str] = []
        said = blocked(marts, tell=told.append)
        pid = cursor.connection.info.backend_pid
    assert f"pid {pid} (postgres, for " in said
    assert len(told) == 1, "it is said once while it waits"
    assert f"waits for readers of the old marts: pid {pid} " in told[0]
    assert "the slow one" in said
    assert "were not switched to version 2" in said
    assert version_in(marts) == 1
    assert version_in(marts, "marts__next") == 2, "what was built is kept"


def test_a_reader_whose_query_we_may_not_see_is_named_all_the_same(
    warehouse: Warehouse, guest: Guests
) -> None:
    owner = guest()
    query(warehouse, f'grant create on database {warehouse.dbname} to "{owner.user}"; select 1')
    release(owner, 1)
    build(owner, 2)
    with reader(warehouse) as cursor:
        cursor.execute("select count(*) from marts.orders")
        pid = cursor.connection.info.backend_pid
        hidden = f"pid {pid} (postgres, whose query only pg_read_all_stats would let us see)"
        assert hidden in blocked(owner)
    assert switch(owner).version.number == 2


def test_an_old_snapshot_that_we_may_not_see_is_waited_for_all_the_same(
    warehouse: Warehouse, guest: Guests
) -> None:
    owner = guest()
    query(warehouse, f'grant create on database {warehouse.dbname} to "{owner.user}"; select 1')
    release(owner, 1)
    with reader(warehouse, "begin isolation level repeatable read") as cursor:
        cursor.execute("select 1")
        build(owner, 2)
        assert f"pid {cursor.connection.info.backend_pid} " in blocked(owner)
        with publishing(owner) as done:
            time.sleep(0.3)
            cursor.execute(JOINED)
            assert cursor.fetchone() == ([1], [1], ROWS)
            cursor.execute("commit")
            done.result(20)
    assert version_in(owner) == 2


def test_a_reader_with_an_old_snapshot_is_named_too(marts: Warehouse) -> None:
    with reader(marts, "begin isolation level repeatable read") as cursor:
        cursor.execute("select 'the snapshot'")
        build(marts, 3)
        told: list[str] = []
        said = blocked(marts, 2.0, tell=told.append)
        assert [f"pid {cursor.connection.info.backend_pid} " in line for line in told] == [True]
        assert f"pid {cursor.connection.info.backend_pid} " in said
    assert "the snapshot" in said
    assert version_in(marts) == 1


def test_after_the_reader_is_gone_the_same_build_is_published(marts: Warehouse) -> None:
    with reader(marts) as cursor:
        cursor.execute("select count(*) from marts.orders")
        blocked(marts)
    assert switch(marts).tables == ["customers", "orders"]
    assert version_in(marts) == 2


def test_a_blocked_publication_leaves_no_lock_behind(marts: Warehouse) -> None:
    with reader(marts) as cursor:
        cursor.execute("select count(*) from marts.orders")
        blocked(marts)
        held = query(marts, "select count(*) from pg_locks where mode = 'AccessExclusiveLock'")
    assert held == [(0,)]


def test_a_session_that_is_idle_in_a_transaction_without_a_snapshot_blocks_nothing(
    marts: Warehouse,
) -> None:
    with reader(marts):
        switch(marts, timeout=1)
    assert version_in(marts) == 2


def test_readers_of_other_schemas_block_nothing(marts: Warehouse) -> None:
    query(marts, "create schema mine; create table mine.t as select 1 as n; select 1")
    with reader(marts) as cursor:
        cursor.execute("select * from mine.t")
        switch(marts, timeout=1)
    assert version_in(marts) == 2


def test_a_version_that_somebody_still_reads_is_kept_and_dropped_later(
    marts: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.publication.retention.PAUSES", (0.1,))
    switch(marts)
    build(marts, 3)
    with reader(marts) as cursor:
        cursor.execute("select count(*) from marts__v1.orders")
        done = switch(marts)
        assert done.notes == ["version 1 had to be kept: somebody still reads it"]
        cursor.execute("select distinct version from marts__v1.orders")
        assert cursor.fetchall() == [(1,)]
    release(marts, 4)
    assert schemas(marts) == ["marts", "marts__v3"]


def test_what_is_prepared_on_the_server_goes_on_except_select_star_when_columns_change(
    marts: Warehouse,
) -> None:
    """The one exception that docs/publication.md names."""
    with marts.session() as session, session.cursor() as cursor:
        cursor.execute("prepare everything as select * from marts.orders where id = 1")
        cursor.execute("prepare named as select version from marts.orders where id = 1")
        for version in (2, 3):
            switch(marts)
            cursor.execute("execute everything")
            assert cursor.fetchall() == [(1, version)]
            build(marts, version + 1, *([NOTE] if version == 3 else []))
        switch(marts)
        cursor.execute("execute named")
        assert cursor.fetchall() == [(4,)]
        with pytest.raises(FeatureNotSupported, match="must not change result type"):
            cursor.execute("execute everything")
        cursor.execute("deallocate everything")
        cursor.execute("prepare everything as select * from marts.orders where id = 1")
        cursor.execute("execute everything")
        assert cursor.fetchall() == [(1, 4, None)]


class Readers:
    """Threads that read both tables in one query, and in one transaction, over and over."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.stop = warehouse, threading.Event()
        self.reads, self.wrong, self.errors = 0, list[object](), list[str]()

    def read(self, begin: str) -> None:
        with self.warehouse.session() as session, session.cursor() as cursor:
            while not self.stop.is_set():
                try:
                    self._once(cursor, begin)
                except Exception as error:
                    self.errors.append(repr(error))
                    cursor.execute("rollback")

    def _once(self, cursor: "cursor", begin: str) -> None:
        cursor.execute(JOINED)
        orders, customers, rows = cursor.fetchone() or (None, None, 0)
        cursor.execute(begin)
        cursor.execute("select min(version), max(version), count(*) from marts.orders")
        first = cursor.fetchone()
        cursor.execute("select min(version), max(version), count(*) from marts.customers")
        second = cursor.fetchone()
        cursor.execute("commit")
        self.reads += 2
        if orders != customers or rows != ROWS:
            self.wrong.append((orders, customers, rows))
        if first != second or not first or first[0] != first[1] or first[2] != ROWS:
            self.wrong.append((first, second))


def test_twenty_publications_beside_two_readers_give_no_error_and_no_mixed_or_empty_read(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 0)
    readers = Readers(warehouse)
    kinds = ("begin", "begin isolation level repeatable read")
    threads = [threading.Thread(target=readers.read, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        for version in range(1, 21):
            release(warehouse, version)
    finally:
        readers.stop.set()
        for thread in threads:
            thread.join()
    assert (readers.errors, readers.wrong) == ([], [])
    assert readers.reads > 200, "they did read"
    assert version_in(warehouse) == 20
    assert schemas(warehouse)[0] == "marts"
