"""Snapshots, keys, broken rows and late columns of an API that is described in data."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ingestion.compact import find_cut_off, survey
from ingestion.contract import Column, Contract, Limit
from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint
from ingestion.errors import RowsRejected
from ingestion.payload import rebuild
from ingestion.quarantine import Again
from tests.databases import query
from tests.ingestion.declared.tickets import TICKETS, count, log, ticket

pytestmark = pytest.mark.slow  # dozens of loads


def test_a_snapshot_keeps_versions_of_its_rows_and_of_what_is_nested_in_them(
    api, warehouse, load_tickets, monkeypatch
):
    endpoint = Endpoint(TICKETS, "single", rows="[1]")
    load_tickets(api.url, endpoint)
    valid = "_dlt_valid_to is null"
    tables = ("tickets", "tickets__tags", "tickets__messages", "tickets__messages__parts")
    assert [count(warehouse, table, valid) for table in tables] == [3, 6, 3, 3]

    api.rows = [ticket(1), ticket(2, tags=["solved"]), ticket(4, tags=[], messages=[])]
    load_tickets(api.url, endpoint)
    assert [count(warehouse, table, valid) for table in tables] == [3, 3, 2, 2]
    assert [count(warehouse, table) for table in tables] == [5, 7, 4, 4]
    orphans = """select count(*) from raw_desk.{0} where _dlt_valid_to is null and split_part(
        _dlt_parent_id, '-', 1) not in (select _dlt_id from raw_desk.tickets where {1})"""
    for table in tables[1:]:
        assert query(warehouse, orphans.format(table, valid)) == [(0,)]

    monkeypatch.setattr("ingestion.compact.contracts_of", lambda name: [TICKETS, *TICKETS.nested()])
    with warehouse.session() as session, session.cursor() as cursor:
        cut_off = find_cut_off(cursor, "desk", datetime(9999, 1, 1, tzinfo=UTC), None)
        history = survey(cursor, "desk", cut_off, ())
    assert history.tables == dict(zip(tables, [(2, 3), (4, 3), (2, 2), (2, 2)], strict=True))

    api.rows = [ticket(1, amount="much"), ticket(4, tags=[], messages=[])]
    assert load_tickets(api.url, endpoint).rejected == {"tickets": 1}
    found = [count(warehouse, table, valid) for table in tables]
    assert found == [2, 2, 1, 1], "what is in quarantine is not gone, nor what is nested in it"

    api.rows = []
    with pytest.raises(RowsRejected, match="2 rows are current"):
        load_tickets(api.url, endpoint)
    load_tickets(api.url, endpoint, allow_empty=("tickets",))
    assert not any(count(warehouse, table, valid) for table in tables)


def test_without_a_key_rows_are_told_apart_by_all_they_hold(api, warehouse, load_tickets):
    api.since = None
    readings = Contract("readings", (), (Column("at", "whole"), Column("v", "float")))
    api.rows = [{"at": 1, "v": 1.5}, {"at": 1, "v": 2}, {"at": 1, "v": 1.5}]
    endpoint = Endpoint(readings, "single", rows="[1]")
    load_tickets(api.url, endpoint)
    assert count(warehouse, "readings") == 2
    api.rows = [{"at": 1, "v": 2}, {"at": 2, "v": "x"}]
    load_tickets(api.url, endpoint)
    assert count(warehouse, "readings", "_dlt_valid_to is null") == 2, "x may be any of them"
    logged = replace(endpoint, cursor=Cursor("at", "since"), contract=replace(readings, table="l"))
    api.rows.pop()
    for _ in range(2):
        load_tickets(api.url, logged)
        assert count(warehouse, "l") == 1


def test_a_row_in_quarantine_is_not_gone_whatever_its_key_is_made_of(api, warehouse, load_tickets):
    key = (Column("at", "timestamp", zoned=True), Column("on", "boolean"), Column("day", "date"),
           Column("n", "whole"))  # fmt: skip
    contract = Contract("k", tuple(c.name for c in key), (*key, Column("v", "float")))
    row = {"at": "2024-01-01T00:00:00Z", "on": True, "day": "2024-01-01", "n": 7, "v": 1}
    api.since, api.rows = None, [row, {**row, "n": 8}]
    endpoint = Endpoint(contract, "single", rows="[1]")
    load_tickets(api.url, endpoint)
    api.rows = [{**row, "v": "much"}]
    load_tickets(api.url, endpoint)
    assert query(warehouse, "select n from raw_desk.k where _dlt_valid_to is null") == [(7,)]


def test_rows_of_another_type_are_set_aside_and_come_back_mended(api, warehouse, load_tickets):
    api.rows = [ticket(1, amount="12,5"), ticket(2, order=5), ticket(3, due="soon"), ticket(4),
                ticket(5, tags=[1]), ticket(6, requester=None), ticket(7, messages={"id": 1}),
                ]  # fmt: skip
    endpoint = log(contract=replace(TICKETS, stop=Limit(9, 1)))
    record = load_tickets(api.url, endpoint)
    assert record.rejected == {"tickets": 6}
    assert query(warehouse, "select id from raw_desk.tickets") == [(4,)]
    held = query(warehouse, "select path, _dlt_id, content from raw_desk.tickets__rejected")
    assert sorted(path for path, *_ in held) == [
        "column amount", "column due", "column messages", "column order",
        "column requester__customer_id", "column tags[0].value",
    ]  # fmt: skip
    ((id_, content),) = ((i, c) for path, i, c in held if path == "column amount")
    again = {"tickets": [Again(id_, content.replace("12,5", "12.5"), "edited")]}
    record = load_tickets(api.url, endpoint, again=again, run_id="r2")
    assert record.released == {"tickets": 1}
    assert query(warehouse, "select amount from raw_desk.tickets where id = 1") == [
        (Decimal("12.5"),)
    ]
    assert count(warehouse, "tickets__tags") == 4


def test_a_column_that_appears_late_comes_in_as_text(api, warehouse, load_tickets):
    loose = replace(TICKETS, unknown="evolve")
    load_tickets(api.url, log(contract=loose))
    late = {"requester": {"customerId": "c4", "geo": {"lat": 1.50}}, "rating": 5, "_page": 3,
            "userId": 1, "user_id": 2, "nothing": None, "labels": [{"a": 1}]}  # fmt: skip
    api.rows = [ticket(4, **late), ticket(6), ticket(7), ticket(8), ticket(5, rating=4.50)]
    record = load_tickets(api.url, log(contract=loose))
    assert record.rejected == {"tickets": 1}, "two names for one column"
    assert "tickets: new column rating (raw has it as text now)" in record.changes
    api.rows[0].pop("userId")
    load_tickets(api.url, log(contract=loose))
    sql = """select rating, requester__geo__lat, api_page, user_id, labels
             from raw_desk.tickets where rating is not null order by id"""
    assert query(warehouse, sql) == [
        ("5", "1.5", "3", "2", '[{"a": 1}]'), ("4.5", None, None, None, None),
    ]  # fmt: skip


def test_the_row_that_came_is_written_again_and_its_hash_proves_it(api, warehouse, load_tickets):
    load_tickets(api.url, log())
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("select * from raw_desk.tickets where id = 2")
        names = [column.name for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        payload = rebuild(cursor, "raw_desk", TICKETS, row)
    assert payload.proven
    assert '"messages":[{"id":"20","text":"hello","parts":[{"kind":"pdf"' in payload.json
