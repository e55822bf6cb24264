"""What an API that is described in data sends, raw holds to the row, by log and by snapshot."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import pytest

from ingestion.declared.cursor import Cursor
from ingestion.errors import WrongSetting
from ingestion.intake import Window
from tests.databases import query
from tests.ingestion.declared.tickets import count, log, ticket

pytestmark = pytest.mark.slow  # dozens of loads

COLUMNS = (
    '"order", updated_at, requester__customer_id, requester__channel, amount, score, due, extra'
)


def test_numbers_objects_lists_and_times_with_zones_come_as_the_contract_says(
    api, warehouse, load_tickets
):
    api.rows = [
        ticket(1, updatedAt="2024-03-31T03:30:00.123456789+02:00", score=0.1 + 0.2,
               amount=1e3, extra={"a": [1, 1.10]}),
        ticket(2, messages=[], tags=[], due=None, extra="plain"),
        ticket(9_007_199_254_740_993, requester={"customerId": "c", "channel": "é"}, score=-0.0),
    ]  # fmt: skip
    load_tickets(api.url, log())
    rows = query(warehouse, f"select id, {COLUMNS} from raw_desk.tickets order by id")
    at, day = datetime(2024, 3, 31, 1, 30, 0, 123456), date(2024, 4, 1)
    assert rows == [
        (1, "o1", at, "c1", None, Decimal("1000.0000"), 0.30000000000000004, day,
         '{"a": [1, 1.1]}'),
        (2, "o2", datetime(2024, 3, 31), "c2", None, Decimal("12.5000"), None, None, "plain"),
        (9_007_199_254_740_993, "o9007199254740993", datetime(2024, 3, 31), "c", "é",
         Decimal("12.5000"), 0.0, day, None),
    ]  # fmt: skip
    assert count(warehouse, "tickets__tags") == 4
    parts = """
        select t.id, m.id, m._dlt_list_idx, p.kind, p.size, p._dlt_list_idx
        from raw_desk.tickets t join raw_desk.tickets__messages m on m._dlt_parent_id = t._dlt_id
        join raw_desk.tickets__messages__parts p on p._dlt_parent_id = m._dlt_id order by 1"""
    assert query(warehouse, parts) == [
        (1, 10, 0, "pdf", 7, 0),
        (9_007_199_254_740_993, 90_071_992_547_409_930, 0, "pdf", 7, 0),
    ]


def test_what_is_updated_in_place_is_appended_and_nothing_else(api, warehouse, load_tickets):
    assert load_tickets(api.url, log()).loaded == {
        "tickets": 3, "tickets__tags": 6, "tickets__messages": 3, "tickets__messages__parts": 3,
    }  # fmt: skip
    assert not any(load_tickets(api.url, log()).loaded.values())
    assert "since=2024-03-30T00%3A00%3A00Z" in api.asked[-1], "a day of look-back"

    api.rows = [api.rows[0], ticket(2, hour=5, tags=["solved"]), api.rows[2], ticket(4, hour=6)]
    loaded = load_tickets(api.url, log()).loaded
    assert loaded == {
        "tickets": 2, "tickets__tags": 3, "tickets__messages": 2, "tickets__messages__parts": 2,
    }  # fmt: skip
    assert count(warehouse, "tickets", "id = 2") == 2


def test_a_row_that_slips_past_while_pages_are_counted_comes_with_the_next_load(
    api, warehouse, load_tickets
):
    endpoint = log("offset")
    load_tickets(api.url, endpoint)
    api.rows = [ticket(number, hour=number) for number in range(50, 58)]

    def moves(number: int) -> None:
        if api.asked[-1].startswith("/offset?") and "offset=2" in api.asked[-1]:
            api.rows = [*api.rows[1:], ticket(50, hour=900)]  # what was third is second now

    api.between = moves
    load_tickets(api.url, endpoint)
    assert count(warehouse, "tickets", "id = 52") == 0, "or this shows nothing"
    api.between = lambda number: None
    load_tickets(api.url, endpoint)
    assert count(warehouse, "tickets", "id = 52") == 1


def test_of_two_versions_in_one_load_the_newest_is_the_known_one(api, warehouse, load_tickets):
    api.rows = [ticket(1, tags=["a"]), ticket(1, hour=1, tags=["b"]), ticket(2)]
    assert load_tickets(api.url, log()).loaded["tickets"] == 3
    api.rows = [ticket(1, hour=1, tags=["b"])]
    assert load_tickets(api.url, log()).loaded["tickets"] == 0


def test_days_are_loaded_again_and_the_cursor_stays(api, warehouse, load_tickets):
    load_tickets(api.url, log())
    api.rows += [ticket(7, hour=-200), ticket(8, hour=-24)]
    window = Window(date(2024, 3, 20), date(2024, 3, 29))
    assert load_tickets(api.url, log(), window=window).loaded["tickets"] == 1
    assert "since=2024-03-20T00%3A00%3A00Z&until=2024-03-30T00%3A00%3A00Z" in api.asked[-1]
    load_tickets(api.url, log())
    assert "since=2024-03-30T00" in api.asked[-1]


@pytest.mark.parametrize(
    ("cursor", "window", "said"),
    [
        (Cursor("id", "since"), Window(date(2024, 1, 1)), "tickets has no days to load again"),
        (Cursor("updated_at", "since"), Window(None, date(2024, 1, 1)), "give --from alone"),
        (Cursor("order", "since"), None, "'order' must be a whole, date or timestamp column"),
        (Cursor("nothing", "since"), None, "'nothing' must be .* not missing"),
        (Cursor("updated_at", "since", "magic"), None, "no cursor style 'magic'.*epoch"),
    ],
)
def test_a_cursor_that_cannot_be_is_named(api, load_tickets, cursor, window, said):
    with pytest.raises(WrongSetting, match=said):
        load_tickets(api.url, replace(log(), cursor=cursor), window=window)
    with pytest.raises(WrongSetting, match="desk has no log whose days"):
        load_tickets(api.url, replace(log(), cursor=None), window=Window())
    assert not api.asked


def test_a_number_that_grows_is_a_cursor_too(api, warehouse, load_tickets):
    api.since = "id"
    endpoint = replace(log(), cursor=Cursor("id", "since", lookback=1))
    load_tickets(api.url, endpoint)
    api.rows += [ticket(4), ticket(5)]
    assert load_tickets(api.url, endpoint).loaded["tickets"] == 2
    assert "since=2" in api.asked[-1]


def test_a_wrong_year_does_not_stop_the_log(api, warehouse, load_tickets):
    api.rows[2]["updatedAt"] = "2999-01-01T00:00:00Z"
    load_tickets(api.url, log())
    api.since = None
    api.rows = [ticket(9)]
    load_tickets(api.url, log())
    asked = dict(parse_qsl(urlsplit(api.asked[-1]).query))["since"]
    now = datetime.now()
    assert now - timedelta(days=2) < datetime.fromisoformat(asked[:-1]) < now


@pytest.mark.parametrize("cursor", ["updated_at", "due"])
def test_an_api_that_does_not_heed_what_we_ask_for_doubles_nothing(
    api, warehouse, load_tickets, cursor
):
    api.since = None
    api.rows = [ticket(1, hour=-900, due="2020-01-01"), ticket(2), ticket(3)]
    endpoint = replace(log(), cursor=Cursor(cursor, "since"))
    assert load_tickets(api.url, endpoint).loaded["tickets"] == 3
    api.rows.append(ticket(4, hour=-800, due="2020-02-02"))
    assert load_tickets(api.url, endpoint).loaded["tickets"] == 1, "late, and not asked for"
    assert not any(load_tickets(api.url, endpoint).loaded.values())
