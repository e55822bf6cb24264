"""The help desk is loaded by its description: to the row, day by day, and not without its token."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn

from ingestion.demo_api import listen
from ingestion.demo_api.app import create_app
from ingestion.demo_api.desk import Desk
from ingestion.demo_api.faults import Faults
from ingestion.demo_api.generator import GeneratedShop
from ingestion.demo_api.page import DESK_PATH, DESK_TOKEN
from ingestion.errors import SourceFailed
from ingestion.intake import Window
from ingestion.load import LoadRecord, load
from orchestration.warehouse import Warehouse
from tests.databases import query

TICKETS = """
select id, order_id, status, topic, requester__customer_id, requester__channel,
    to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), satisfaction, refund::float8
from raw_support.tickets
"""
CURRENT = f"""
select * from ({TICKETS.replace("select id", "select distinct on (id) id")}
order by id, _dlt_load_id desc, updated_at desc) as current
"""
MESSAGES = """
select t.id, m.id, author, to_char(sent_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), body
from raw_support.tickets__messages as m
inner join raw_support.tickets as t
on t._dlt_id = m._dlt_parent_id and t._dlt_load_id = m._dlt_load_id
"""


@cache
def shop_of(days: int) -> GeneratedShop:
    return GeneratedShop(orders=2_000_000, days=days)


class MovingShop:
    """The shop of some day; a test may move on."""

    days = 80

    def __getattr__(self, name: str) -> Any:
        return getattr(shop_of(self.days), name)

    def tickets(self) -> dict[int, dict[str, Any]]:
        """What the desk has to say today."""
        return {row["id"]: row for row in Desk(shop_of(self.days)).tickets().to_dicts()}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[MovingShop, Faults, str]]:
    shop, faults, bound = MovingShop(), Faults(), listen.bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(shop, faults), lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield shop, faults, listen.address(bound) + DESK_PATH
    server.should_exit = True
    thread.join()


@pytest.fixture
def desk(served: tuple[MovingShop, Faults, str]) -> Iterator[MovingShop]:
    yield served[0]
    served[0].days = 80
    served[1].clear()


@pytest.fixture
def load_desk(
    served: tuple[MovingShop, Faults, str], warehouse: Warehouse, tmp_path: Path
) -> Callable[..., LoadRecord]:
    def run(**options: Any) -> LoadRecord:
        options = {"base_url": served[2], "api_token": DESK_TOKEN} | options
        if not options["api_token"]:
            del options["api_token"]
        return load("support", warehouse.url(), tmp_path / "work", **options)

    return run


def row_of(ticket: dict[str, Any]) -> tuple[Any, ...]:
    names = ("id", "order_id", "status", "topic", "created_at", "updated_at", "satisfaction")
    id_, order, status, topic, created, updated, stars = (ticket[name] for name in names)
    who = ticket["requester"]
    return (id_, order, status, topic, who["customer_id"], who["channel"], created, updated, stars,
            ticket["refund"])  # fmt: skip


def rows_of(tickets: dict[int, dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {row_of(ticket) for ticket in tickets.values()}


def test_raw_holds_what_the_desk_says_to_the_row(
    desk: MovingShop, load_desk: Callable[..., LoadRecord], warehouse: Warehouse
) -> None:
    record = load_desk()
    said = desk.tickets()
    assert record.pages == {"tickets": 3}, "its cursor was followed"
    found = query(warehouse, TICKETS)
    assert len(found) == len(said)
    assert set(found) == rows_of(said)
    messages = query(warehouse, MESSAGES)
    spoken = {
        (ticket["id"], each["id"], each["author"], each["sent_at"], each["body"])
        for ticket in said.values()
        for each in ticket["messages"]
    }
    assert len(messages) == len(spoken)
    assert set(messages) == spoken


def test_a_day_later_only_what_has_changed_is_appended(
    desk: MovingShop, load_desk: Callable[..., LoadRecord], warehouse: Warehouse
) -> None:
    load_desk()
    before = desk.tickets()
    assert load_desk().loaded.get("tickets", 0) == 0, "nothing has changed"
    desk.days = 81
    after = desk.tickets()
    moved = {number for number, ticket in after.items() if before.get(number) != ticket}
    assert moved & before.keys(), "some of them are old tickets"
    assert load_desk().loaded["tickets"] == len(moved)
    assert set(query(warehouse, CURRENT)) == rows_of(after)
    assert set(query(warehouse, TICKETS)) == rows_of(after) | rows_of(before), "the past is kept"


def test_a_window_loads_the_days_that_it_names(
    desk: MovingShop, load_desk: Callable[..., LoadRecord], warehouse: Warehouse
) -> None:
    load_desk(window=Window(date(2024, 11, 1), date(2024, 11, 2)))
    days = {"2024-11-01", "2024-11-02"}
    expected = {
        number: ticket for number, ticket in desk.tickets().items()
        if ticket["updated_at"][:10] in days
    }  # fmt: skip
    assert set(query(warehouse, TICKETS)) == rows_of(expected) != set()


def test_without_the_right_token_it_fails_and_tells_nobody_the_wrong_one(
    load_desk: Callable[..., LoadRecord],
) -> None:
    for token in (None, "geheim-123"):
        with pytest.raises(SourceFailed, match=r"401.*credentials") as caught:
            load_desk(api_token=token)
        assert "geheim" not in str(caught.value)


def test_the_token_comes_from_the_environment(
    load_desk: Callable[..., LoadRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SUPPORT__API_TOKEN", DESK_TOKEN)
    assert load_desk(api_token=None).loaded["tickets"] > 0


def test_without_an_address_the_tables_are_there_and_stay_as_they_are(
    desk: MovingShop, load_desk: Callable[..., LoadRecord], warehouse: Warehouse
) -> None:
    assert load_desk(base_url="").pages == {}
    assert query(warehouse, TICKETS) == query(warehouse, MESSAGES) == []
    assert load_desk(base_url="").load_ids == [], "nothing is loaded twice"
    load_desk()
    load_desk(base_url="")
    assert len(query(warehouse, TICKETS)) == len(desk.tickets())


def test_a_bad_ticket_waits_in_quarantine_and_faults_on_the_way_are_got_over(
    desk: MovingShop,
    served: tuple[MovingShop, Faults, str],
    load_desk: Callable[..., LoadRecord],
    warehouse: Warehouse,
) -> None:
    for spec in ("500@tickets", "repeat_page@tickets?page=2", "out_of_range@tickets?page=2&row=3"):
        served[1].add(spec)
    record = load_desk()
    assert len(record.retries) == 2
    assert record.rejected == {"tickets": 1}
    assert len(query(warehouse, TICKETS)) == len(desk.tickets()) - 1
    aside = query(warehouse, "select path, value from raw_support.tickets__rejected")
    assert aside == [("column refund", "-1")]
