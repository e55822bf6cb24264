"""Rows of the quarantine go through the door again: those that pass leave it, none is doubled."""

import json
import os
import signal

import pytest

from ingestion.load import LoadRecord, load
from ingestion.quarantine import Quarantine
from ingestion.registry import contracts_of
from ingestion.stored import heaps, replayable, waiting_rows
from tests.databases import query
from tests.ingestion.raw import contents, current
from tests.ingestion.rows import CUSTOMER, changed, make_orders
from tests.ingestion.test_quarantine import ids, rejected, shop_contract

pytestmark = pytest.mark.slow
__all__ = ["shop_contract"]
SHOP = "jaffle_shop"
TRACE = """select released_by, released_how, released_at is not null
           from raw_jaffle_shop.{}__rejected order by key"""


@pytest.fixture
def replay(followed, tmp_path):
    """Replay all, or rows that were edited: id -> content."""

    def run(fixed=None, watch=lambda *_: None) -> LoadRecord:
        with followed.session() as session, session.cursor() as cursor:
            again = replayable(cursor, SHOP, None, fixed)
        return load(SHOP, followed.url(), tmp_path, watch=watch, run_id="again", again=again)

    return run


def waiting(warehouse, table):
    with warehouse.session() as session, session.cursor() as cursor:
        return waiting_rows(cursor, SHOP, table)


@pytest.fixture
def broken(peer, followed, load_into):
    """Two orders and a customer that wait, and one customer who was renamed in vain."""
    peer.tables["orders"] += make_orders("o4", "o5", subtotal="-5")
    peer.tables["customers"][0] = changed(CUSTOMER, name=None)
    peer.tables["customers"] += [{"id": "c9", "name": "Mary Somerville", "tier": "gold"}]
    load_into(followed, peer.url)
    return followed


def test_what_waits_is_counted_and_shown_with_personal_data_masked(broken):
    with broken.session() as session, session.cursor() as cursor:
        found = {heap.table: heap for heap in heaps(cursor, SHOP)}
    assert {name: (heap.waiting, heap.released) for name, heap in found.items()} == {
        "orders": (2, 0), "customers": (2, 0),
    }  # fmt: skip
    said = "column subtotal: expected a whole number in a string, at least 0"
    assert found["orders"].reasons == {said: 2}
    shown = {row["key"]: row for row in waiting(broken, "customers")}
    assert json.loads(shown["c9"]["content"]) == {"id": "c9", "name": "***", "tier": "***"}
    assert shown["c9"]["value"] == "***", "nobody knows what an unknown column holds"
    assert json.loads(shown["c1"]["content"]) == {"id": "c1", "name": None}
    assert waiting(broken, "orders")[0]["value"] == "-5"


def test_after_the_contract_was_mended_they_pass_and_leave_a_trace(
    peer, broken, replay, shop_contract
):
    import ingestion.sources.jaffle_shop as source

    columns = {c.name: c for c in source.ORDERS.columns}
    from dataclasses import replace

    columns["subtotal"] = replace(columns["subtotal"], minimum=None)
    shop_contract("ORDERS", columns=tuple(columns.values()))
    before = contents(broken)
    record = replay()
    assert record.released == {"orders": 2}
    assert record.loaded["orders"] == 2
    assert ids(broken, "orders") == ["o1", "o2", "o3", "o4", "o5"]
    assert {row[1] for row in current(broken)["orders__items"]} >= {"o4", "o5"}
    assert rejected(broken) == []
    assert query(broken, TRACE.format("orders")) == [("again", "replayed", True)] * 2
    assert contents(broken)["customers"] == before["customers"], "no snapshot row was retired"
    assert len(rejected(broken, "customers")) == 2

    assert replay().loaded["orders"] == 0


def test_edited_rows_pass_keep_what_was_masked_and_still_broken_ones_say_why(broken, replay):
    rows = {row["key"]: row for row in waiting(broken, "customers")}
    grown = json.loads(rows["c9"]["content"])
    del grown["tier"]
    worse = {"id": "c1", "name": 7}
    record = replay(
        {rows["c9"]["_dlt_id"]: json.dumps(grown), rows["c1"]["_dlt_id"]: json.dumps(worse)}
    )
    assert record.released == {"customers": 1}
    assert current(broken)["customers"] == {
        ("c1", "Ada Byron"), ("c2", "Grace Hopper"), ("c9", "Mary Somerville"),
    }  # fmt: skip
    assert query(broken, TRACE.format("customers")) == [
        (None, None, False), ("again", "replayed, edited by hand", True),
    ]  # fmt: skip
    ((path, reason, value, row),) = rejected(broken, "customers")
    assert (path, reason, value) == ("column name", "expected a string without NUL", "7")
    assert row == {"id": "c1", "name": None}, "as the API sent it"
    assert len(rejected(broken)) == 2, "orders were not in the file"


def test_of_two_rows_of_one_key_the_newer_one_is_replayed(peer, broken, load_into, replay):
    peer.tables["orders"][-1]["tax_paid"] = "-1"
    load_into(broken, peer.url)
    assert len(rejected(broken)) == 3
    newest = waiting(broken, "orders")[0]
    assert newest["key"] == "o5"
    row = json.loads(newest["content"]) | {"subtotal": "7", "tax_paid": "8"}
    assert replay({newest["_dlt_id"]: json.dumps(row)}).released == {"orders": 2}
    assert [row[3]["id"] for row in rejected(broken)] == ["o4"]
    sql = "select subtotal, tax_paid from raw_jaffle_shop.orders where id = 'o5'"
    assert query(broken, sql) == [(7, 8)]


@pytest.mark.parametrize("when", [("load", "files", 1), ("load", "files", 4), "before settling"])
def test_a_replay_that_was_killed_is_healed_by_the_next_one(broken, replay, when):
    fixed = {}
    for table in ("orders", "customers"):
        for row in waiting(broken, table):
            mended = json.loads(row["content"])
            mended |= {"subtotal": "5"} if table == "orders" else {"name": mended["name"] or "Ada"}
            mended.pop("tier", None)
            fixed[row["_dlt_id"]] = json.dumps(mended)

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            if when == "before settling":
                Quarantine.settle = die
                replay(fixed)
            replay(fixed, watch=lambda *told: die() if told[:3] == when else None)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(rejected(broken)) + len(rejected(broken, "customers")) == 4

    assert replay(fixed).released == {"orders": 2, "customers": 2}
    assert ids(broken, "orders") == ["o1", "o2", "o3", "o4", "o5"]
    assert query(broken, "select count(*) from raw_jaffle_shop.orders") == [(5,)]
    assert current(broken)["customers"] == {
        ("c1", "Ada"), ("c2", "Grace Hopper"), ("c9", "Mary Somerville"),
    }  # fmt: skip
    assert len(contents(broken)["customers"]) == 4


def test_only_what_is_personal_is_marked_so():
    found = {(c.table, column.name) for c in contracts_of(SHOP) for column in c.columns
             if column.pii}  # fmt: skip
    assert found == {("customers", "name")}
