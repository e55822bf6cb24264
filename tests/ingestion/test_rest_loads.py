"""What an API that is described in data sends, raw holds to the row, by log and by snapshot."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pytest

from ingestion.contract import Column, Contract
from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint, rest_resources
from ingestion.load import LoadRecord, load
from tests.databases import query
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


Load = Callable[..., LoadRecord]


@pytest.fixture
def load_tickets(warehouse, tmp_path: Path, monkeypatch) -> Load:
    """Load endpoints of the source `desk` into the test's database."""

    def run(url: str, *endpoints: Endpoint, **options: Any) -> LoadRecord:
        @dlt.source(name="desk")
        def desk(intake: Any) -> Any:
            return rest_resources(endpoints, url, None, intake)

        monkeypatch.setattr("ingestion.load.find_source", lambda name: desk)
        return load("desk", warehouse.url(), tmp_path, **options)

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
