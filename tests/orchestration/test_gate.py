"""The gate before the marts: nobody inside is stopped halfway, nobody outside waits for long."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestration.publication import switch as switching
from orchestration.publication.gate import Gate, GateStuck, find_marts
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import ROWS, build, release, switch, version_in

VERSIONS = "select array_agg(distinct version) from marts.{}"
ASKED = "select pid from pg_locks where mode = 'AccessExclusiveLock'"
KEEPERS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> "
KEEPERS += "pg_backend_pid() and backend_type = 'client backend'"


@pytest.fixture
def marts(warehouse: Warehouse) -> Warehouse:
    """Version 1 is published, version 2 is built."""
    release(warehouse, 1)
    build(warehouse, 2)
    return warehouse


class Halfway:
    """Two readers who have read one mart each, and will each ask for the other one."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.sessions = [warehouse.connect("a reader") for _ in range(2)]
        self.cursors = [session.cursor() for session in self.sessions]

    def read(self, number: int, mart: str) -> list[int]:
        self.cursors[number].execute(VERSIONS.format(mart))
        ((found,),) = self.cursors[number].fetchall()
        return found

    def start(self) -> None:
        for number, mart in enumerate(("orders", "customers")):
            self.cursors[number].execute("begin")
            assert self.read(number, mart) == [1]


@pytest.fixture
def halfway(marts: Warehouse) -> Iterator[Halfway]:
    readers = Halfway(marts)
    yield readers
    for session in readers.sessions:
        session.close()


def test_readers_in_opposite_orders_come_to_their_end_and_see_one_version(
    marts: Warehouse, halfway: Halfway
) -> None:
    """Where locks are taken one by one, one of the two and we wait for each other."""
    halfway.start()
    with ThreadPoolExecutor(3) as pool:
        published = pool.submit(switch, marts, 20)
        time.sleep(0.1)  # the gate is being closed
        began = time.monotonic()
        others = [pool.submit(halfway.read, *asked) for asked in ((0, "customers"), (1, "orders"))]
        assert [other.result(10) for other in others] == [[1], [1]]
        assert time.monotonic() - began < 0.9, "nobody waited for the deadlock detector"
        for cursor in halfway.cursors:
            cursor.execute("commit")
        assert published.result(20).tables == ["customers", "orders"]
    assert [halfway.read(0, "orders"), halfway.read(1, "customers")] == [[2], [2]]


def test_while_a_mart_is_read_nothing_is_asked_for_after_the_first_try(
    marts: Warehouse, halfway: Halfway
) -> None:
    halfway.cursors[0].execute("begin")
    halfway.read(0, "orders")
    with ThreadPoolExecutor(1) as pool:
        published = pool.submit(switch, marts, 20)
        while not query(marts, ASKED):
            time.sleep(0.01)
        while query(marts, ASKED):
            time.sleep(0.01)
        for _ in range(50):  # longer than any pause of ours
            assert query(marts, ASKED) == [], "somebody new would have to wait"
            time.sleep(0.02)
        assert not published.done()
        halfway.cursors[0].execute("commit")
        published.result(20)


def test_keepers_are_gone_after_the_switch_and_after_one_that_was_given_up(
    marts: Warehouse, halfway: Halfway
) -> None:
    before = query(marts, KEEPERS)
    halfway.cursors[0].execute("begin")
    halfway.read(0, "orders")
    with pytest.raises(Exception, match="were not switched"):
        switch(marts, 0.4)
    halfway.cursors[0].execute("commit")
    switch(marts)
    time.sleep(0.2)
    assert query(marts, KEEPERS) == before


def test_a_closed_gate_lets_nobody_in_and_an_open_one_everybody(marts: Warehouse) -> None:
    entered = threading.Event()

    def read() -> None:
        version_in(marts)
        entered.set()

    with marts.session() as session, session.cursor() as cursor, Gate(session) as gate:
        cursor.execute("begin")
        gate.close(cursor, [], find_marts(cursor, "marts"))
        reader = threading.Thread(target=read)
        reader.start()
        assert not entered.wait(0.3)
        gate.open()
        assert entered.wait(10)
        reader.join()


def test_more_marts_than_keepers(warehouse: Warehouse) -> None:
    many = [f"create table marts__next.t{n} as select 1 as version" for n in range(40)]
    for version in (1, 2):
        assert len(release(warehouse, version, *many).tables) == 42
    assert version_in(warehouse) == 2


def test_fewer_connections_than_keepers(warehouse: Warehouse, guest: Guests) -> None:
    """Of two that it may have one is for a keeper: it must do for both marts."""
    owner = guest()
    query(warehouse, f'grant create on database {warehouse.dbname} to "{owner.user}"; '
                     f'alter role "{owner.user}" connection limit 2; select 1')  # fmt: skip
    release(owner, 1)
    release(owner, 2)
    assert version_in(warehouse) == 2


def test_a_view_that_is_made_while_we_look_is_not_forgotten(
    marts: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on reading the old version, and nobody would have been told."""
    looked = switching.views_on_marts
    made = iter(["create schema mine; create view mine.v as select * from marts.orders; select 1"])

    def and_then_somebody_makes_one(*args: object) -> object:
        views = looked(*args)  # type: ignore[arg-type]
        for statement in made:
            query(marts, statement)
        return views

    monkeypatch.setattr(switching, "views_on_marts", and_then_somebody_makes_one)
    switch(marts)
    assert query(marts, "select distinct version from mine.v") == [(2,)]


def test_stuck_says_who_was_inside(marts: Warehouse, halfway: Halfway) -> None:
    halfway.cursors[0].execute("begin")
    halfway.read(0, "orders")
    with marts.session() as session, session.cursor() as cursor, Gate(session) as gate:
        cursor.execute("begin")
        with pytest.raises(GateStuck) as stuck:
            gate.close(cursor, [], find_marts(cursor, "marts"))
        (reader,) = stuck.value.inside
        assert reader.pid == halfway.sessions[0].info.backend_pid
        assert reader.wants is None
        cursor.execute("rollback")
        gate.open()
    assert query(marts, "select count(*) from marts.orders") == [(ROWS,)]
