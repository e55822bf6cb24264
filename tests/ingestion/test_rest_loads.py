"""What an API that is described in data sends, raw holds to the row, by log and by snapshot."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingestion.contract import Column, Contract, Limit
from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint, rest_resources
from ingestion.errors import RowsRejected, WrongSetting
from ingestion.intake import Window
from ingestion.load import LoadRecord
from ingestion.payload import rebuild
from ingestion.quarantine import Again
from tests.databases import query
from tests.ingestion.described import Desk
from tests.ingestion.habits import SAID, Habits

TAGS = Contract("tickets__tags", (), (Column("value", "text"),))
PARTS = Contract("tickets__messages__parts", (), (Column("kind", "text"), Column("size", "whole")))
MESSAGES = Contract(
    "tickets__messages", ("id",), (Column("id", "whole"), Column("text", "text", nullable=True)),
    children=(("parts", PARTS),),
)  # fmt: skip
TICKETS = Contract(
    table="tickets",
    key=("id",),
    columns=(
        Column("id", "whole"),
        Column("order", "text"),  # SQL has another meaning for it
        Column("updated_at", "timestamp", zoned=True),
        Column("requester__customer_id", "text"),
        Column("requester__channel", "text", nullable=True),
        Column("amount", "decimal", digits=(18, 4)),
        Column("score", "float", nullable=True),
        Column("due", "date", nullable=True),
        Column("extra", "json", nullable=True),
    ),
    children=(("tags", TAGS), ("messages", MESSAGES)),
    newest="updated_at",
)
COLUMNS = (
    '"order", updated_at, requester__customer_id, requester__channel, amount, score, due, extra'
)


def ticket(number: int, hour: int = 0, **changes: Any) -> dict[str, Any]:
    moment = datetime(2024, 3, 31) + timedelta(hours=hour)
    return {
        "id": number,
        "order": f"o{number}",
        "updatedAt": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        "requester": {"customerId": f"c{number}", "channel": None},
        "amount": 12.5,
        "due": "2024-04-01",
        "tags": ["new", "vip"],
        "messages": [{"id": number * 10, "text": "hello", "parts": [{"kind": "pdf", "size": 7}]}],
    } | changes


@pytest.fixture
def load_tickets(warehouse, tmp_path, monkeypatch) -> Callable[..., LoadRecord]:
    """Load endpoints of the source `desk` into the test's database."""
    desk = Desk(warehouse, tmp_path, monkeypatch)

    def run(url: str, *endpoints: Endpoint, **options: Any) -> LoadRecord:
        return desk.load(lambda intake: rest_resources(endpoints, url, None, intake), **options)

    return run


@pytest.fixture
def api():
    with Habits([ticket(number) for number in (1, 2, 3)]) as found:
        found.since = "updatedAt"
        yield found


def log(habit: str = "cursor", contract: Contract = TICKETS, **changes: Any) -> Endpoint:
    cursor = Cursor("updated_at", "since", until="until", **changes)
    return Endpoint(contract, habit, cursor=cursor, **SAID[habit])


def count(warehouse, table: str, where: str = "true") -> int:
    return query(warehouse, f"select count(*) from raw_desk.{table} where {where}")[0][0]


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
    assert not any(load_tickets(api.url, endpoint).loaded.values())


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
    assert not api.asked


def test_a_number_that_grows_is_a_cursor_too(api, warehouse, load_tickets):
    api.since = "id"
    endpoint = replace(log(), cursor=Cursor("id", "since", lookback=1))
    load_tickets(api.url, endpoint)
    api.rows += [ticket(4), ticket(5)]
    assert load_tickets(api.url, endpoint).loaded["tickets"] == 2
    assert "since=2" in api.asked[-1]


def test_a_snapshot_keeps_versions_of_its_rows_and_of_what_is_nested_in_them(
    api, warehouse, load_tickets
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
    for _ in range(2):
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
    api.rows = [ticket(4, **late), ticket(5, rating=4.50)]
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
    assert not any(load_tickets(api.url, log(contract=loose)).loaded.values())


def test_the_row_that_came_is_written_again_and_its_hash_proves_it(api, warehouse, load_tickets):
    load_tickets(api.url, log())
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("select * from raw_desk.tickets where id = 2")
        names = [column.name for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        payload = rebuild(cursor, "raw_desk", TICKETS, row)
    assert payload.proven
    assert '"messages":[{"id":"20","text":"hello","parts":[{"kind":"pdf"' in payload.json
