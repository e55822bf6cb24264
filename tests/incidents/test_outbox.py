"""Alerts wait for their channel: sent once, sent later, given up; to those whom it concerns."""

import time
from datetime import UTC, datetime

import pytest
from psycopg2.extensions import connection

from orchestration.incidents.causes import Looked
from orchestration.incidents.conclude import found
from orchestration.incidents.ledger import settle
from orchestration.incidents.outbox import concerned, deliver, queue
from orchestration.publication.versions import Version
from orchestration.records import RunRecord
from tests.incidents.made import PROJECT, TOTALS, aged, outcome, record
from tests.incidents.sinks import HANGS, OK, REFUSES, Sink

pytestmark = pytest.mark.slow
AT = datetime(2026, 1, 2, 6, 30, tzinfo=UTC)
LIVE = Version(41, "r0", None, "marts", None, None, AT, AT, None)


def conclude(session: connection, made: RunRecord, routes: dict[str, tuple[str, ...]]) -> list[str]:
    """Settle what a run saw and queue the alerts; who is concerned, by name."""
    with session.cursor() as cursor:
        cursor.execute("begin")
        changes = settle(cursor, made.run_id, AT, found(made, PROJECT, ()),
                         Looked(made, PROJECT).over, lambda _: "sales")  # fmt: skip
        queue(cursor, changes, PROJECT, made, LIVE, routes)
        cursor.execute("commit")
    return [owner.name for change in changes for owner in concerned(change, PROJECT)]


def failed(rows: int, run_id: str = "r1") -> RunRecord:
    return record(run_id, 3, tests=[outcome("fail", failures=rows)])


def test_the_owner_of_the_mart_and_of_the_exposure_hear_of_a_failed_test(
    session: connection, sink: Sink
) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(),), "ECLUSE_ALERTS_SALES": (sink.url("sales"),),
              "ECLUSE_ALERTS_BOARDROOM": (sink.url("board"),)}  # fmt: skip
    assert conclude(session, failed(7), routes) == ["sales", "Boardroom"]
    assert deliver(session, routes) == {
        "ECLUSE_ALERTS_SALES#1": None, "ECLUSE_ALERTS_BOARDROOM#1": None,
    }  # fmt: skip
    assert sorted(path for path, _, _ in sink.taken) == ["board", "sales"]
    _, title, body = sink.taken[0]
    assert title == "[opened error] test positive of marts.orders failed"
    assert body.splitlines() == [
        "Test positive of marts.orders failed.",
        "Since: 2026-01-02 06:30 UTC, run r1.",
        "Rows: 7.",
        "Downstream: marts.orders, dashboard Morning.",
        "Readers: nothing was published; they keep the last good version, 41 of 2026-01-02 "
        "06:30 UTC.",
        "Owner: sales.",
        "Look closer: .venv/bin/ecluse incidents show 1",
    ]
    assert deliver(session, routes) == {}


def test_worse_and_recovered_say_what_has_changed(session: connection, sink: Sink) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(),)}
    for made in (failed(7), failed(8, "r2"), failed(70, "r3"),
                 record("r4", tests=[outcome("pass")], published={"version": 42})):  # fmt: skip
        conclude(session, made, routes)
        deliver(session, routes)
    opened, worse, over = sink.taken
    assert "Rows: 70 (was 7)." in worse[2].splitlines()
    assert over[1] == "[recovered] test positive of marts.orders failed"
    assert "Over: the test passes, said run r4." in over[2].splitlines()
    assert "Since: 2026-01-02 06:30 UTC, run r1, seen by 3 runs." in over[2].splitlines()
    assert "Readers: they have version 41, which run r4 has published." in over[2].splitlines()
    assert "Downstream" in opened[2]
    assert "Downstream" not in over[2]


def test_a_source_concerns_its_owner_and_a_test_of_several_tables_theirs(
    session: connection,
) -> None:
    stale = record("r1", freshness=[aged("error")])
    assert conclude(session, stale, {}) == ["platform", "Boardroom"]
    assert conclude(session, record("r2", 3, tests=[outcome("fail", TOTALS)]), {}) == [
        "platform", "Boardroom",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", [REFUSES, HANGS])
def test_what_a_dead_channel_did_not_take_comes_later_in_one_message(
    session: connection, sink: Sink, mode: str
) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(),)}
    sink.mode = mode
    conclude(session, failed(1), routes)
    assert list(deliver(session, routes, 0.5)) == ["ECLUSE_ALERTS#1"]
    conclude(session, record("r2", freshness=[aged("error")]), routes)
    began = time.monotonic()
    (problem,) = deliver(session, routes, 20).values()
    assert problem
    assert time.monotonic() - began < 10
    sink.mode = OK
    assert deliver(session, routes) == {"ECLUSE_ALERTS#1": None}
    (title,) = sink.titles()
    assert title.startswith("2 alerts: [opened error] test positive")
    assert "source shop is stale" in sink.taken[0][2]


def test_after_three_days_an_alert_is_given_up(session: connection, sink: Sink) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(),)}
    conclude(session, failed(1), routes)
    with session.cursor() as cursor:
        cursor.execute("update ops.alerts set queued_at = queued_at - interval '73 hours'")
    assert deliver(session, routes) == {}
    assert sink.taken == []
    with session.cursor() as cursor:
        cursor.execute("select sent_at, given_up_at is not null from ops.alerts")
        assert cursor.fetchall() == [(None, True)]


def test_two_deliveries_at_once_send_an_alert_once(session: connection, sink: Sink) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(),)}
    conclude(session, failed(1), routes)
    from threading import Thread

    from psycopg2 import connect

    others = [connect(session.dsn) for _ in range(3)]
    for other in others:
        other.autocommit = True
    threads = [Thread(target=deliver, args=(other, routes)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sink.taken) == 1


def test_no_url_stands_in_ops(session: connection, sink: Sink) -> None:
    routes = {"ECLUSE_ALERTS": (sink.url(), "nonsense://geheim")}
    conclude(session, failed(1), routes)
    deliver(session, routes)
    with session.cursor() as cursor:
        cursor.execute("select string_agg(a::text, '') from ops.alerts as a")
        ((text,),) = cursor.fetchall()
    assert "ECLUSE_ALERTS#2" in text
    assert "geheim" not in text
