"""The help desk of the demo API: its door, its paging, and tickets that change as days go by."""

import json
from collections import Counter
from datetime import datetime

import pytest
import requests

from ingestion.demo_api.desk import SHARE, Desk, TicketPage, read_cursor
from ingestion.demo_api.files import FileShop
from ingestion.demo_api.page import DESK_TOKEN
from ingestion.demo_api.serve import desk_url

STAGES = ["open", "pending", "solved"]


@pytest.fixture
def ask(base_url):
    def ask(path="tickets", token=DESK_TOKEN):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{desk_url(base_url)}/{path}", headers=headers, timeout=10)

    return ask


def tickets_of(shop):
    found = Desk(shop).tickets()
    return {row["id"]: row for row in found.to_dicts()}


def walk(ask, path):
    """Every page from `path` on, by the cursors of the answers."""
    cursor = ""
    while cursor is not None:
        page = ask(f"{path}{cursor and f'&cursor={cursor}'}").json()
        yield page["data"]
        cursor = page["next_cursor"]


@pytest.mark.parametrize("token", [None, "", "wrong", DESK_TOKEN.upper()])
def test_without_the_token_the_door_stays_shut(ask, token):
    answer = ask(token=token)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "data" not in answer.json()


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_walking_the_cursors_gives_every_ticket_once_in_the_order_of_change(ask, shop, limit):
    pages = list(walk(ask, f"tickets?limit={limit}"))
    rows = [row for page in pages for row in page]
    assert {row["id"] for row in rows} == set(tickets_of(shop))
    assert len(rows) == len({row["id"] for row in rows}) > 5
    assert rows == sorted(rows, key=lambda row: (row["updated_at"], row["id"]))
    assert {len(page) for page in pages[:-1]} <= {limit}


def test_updated_since_is_an_instant_and_is_included(ask):
    rows = ask("tickets?limit=1000").json()["data"]
    middle = rows[len(rows) // 2]["updated_at"]
    later = [row for row in rows if row["updated_at"] >= middle]
    pages = walk(ask, f"tickets?limit=5&updated_since={middle}")
    assert [row for page in pages for row in page] == later
    until = ask(f"tickets?limit=1000&updated_until={middle}").json()["data"]
    assert until + later == rows
    none = ask("tickets?updated_since=2031-01-01T00:00:00%2B02:00").json()
    assert none == {"data": [], "next_cursor": None}


def test_a_ticket_is_json_with_numbers_zones_an_object_and_a_list(ask):
    rows = ask("tickets?limit=1000").json()["data"]
    solved = next(row for row in rows if row["satisfaction"] and row["refund"])
    assert isinstance(solved["id"], int)
    assert isinstance(solved["refund"], float)
    assert set(solved["requester"]) == {"customer_id", "channel"}
    assert solved["updated_at"].endswith("Z")
    assert [message["author"] for message in solved["messages"]] == ["customer", "agent", "agent"]
    assert {row["refund"] is None for row in rows if row["status"] != "solved"} <= {True}


@pytest.mark.parametrize(
    "path", ["tickets?cursor=%21", "tickets?cursor=YWJj", "tickets?limit=1001", "tickets?limit=0",
             "tickets?updated_since=yesterday"],
)  # fmt: skip
def test_what_cannot_be_asked_is_a_422(ask, path):
    assert ask(path).status_code == 422


def test_tickets_name_orders_and_customers_that_the_shop_shows_on_the_same_day(make, rows):
    for days in (20, 21, 22, 60):
        shop = make(days=days)
        orders = {row["id"]: row for row in rows(shop, "orders")}
        for ticket in tickets_of(shop).values():
            order = orders[ticket["order_id"]]
            assert ticket["requester"]["customer_id"] == order["customer_id"]
            assert ticket["created_at"] > order["ordered_at"]
            assert (ticket["refund"] or 0) * 100 <= int(order["order_total"])


def test_a_day_later_tickets_have_moved_on_and_nothing_else_has_changed(make):
    before, after = (tickets_of(make(orders=1_000_000, days=days)) for days in (80, 81))
    assert set(before) < set(after)
    midnight = make(days=80).now.isoformat() + "Z"
    moved = Counter()
    for number, ticket in before.items():
        now = after[number]
        if now == ticket:
            continue
        assert now["updated_at"] >= midnight > ticket["updated_at"]
        assert STAGES.index(now["status"]) >= STAGES.index(ticket["status"])
        assert now["messages"][: len(ticket["messages"])] == ticket["messages"]
        moved[now["status"]] += 1
    assert moved["solved"]
    assert {after[number]["updated_at"] >= midnight for number in set(after) - set(before)} == {
        True
    }


def test_a_folder_of_files_has_a_desk_too(tmp_path):
    orders = [f"o{n},c{n},2024-05-{1 + n % 20:02}T08:00:00,s1,600,36,636" for n in range(1_000)] + [
        "odd,c1,no time,s1,600,36,636"
    ]
    header = "id,customer,ordered_at,store_id,subtotal,tax_paid,order_total"
    files = {
        "customers": "id,name", "items": "id,order_id,sku", "orders": "\n".join([header, *orders]),
        "products": "sku,name,type,price,description", "stores": "id,name,opened_at,tax_rate",
        "supplies": "id,name,cost,perishable,sku",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"raw_{name}.csv").write_text(text + "\n")
    shop = FileShop(tmp_path)
    assert shop.now == datetime(2024, 5, 21)
    found = tickets_of(shop)
    assert 0.5 * SHARE * 1_000 < len(found) < 2 * SHARE * 1_000
    assert all(row["order_id"][1:] == row["requester"]["customer_id"][1:] for row in found.values())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("null_key@tickets?row=1", {"id": None}), ("out_of_range@tickets?row=1", {"refund": "-1"}),
     ("unknown_column@tickets", {"loyalty_points": "7"}),
     ("type_changed@tickets?column=topic", {"topic": {"value": "{topic}"}})],
)  # fmt: skip
def test_faults_break_rows_within_the_envelope(ask, fault, spec, expected):
    sound = ask("tickets?limit=3").json()
    assert fault(spec).ok
    broken = ask("tickets?limit=3").json()
    assert broken["next_cursor"] == sound["next_cursor"] is not None
    row = json.loads(json.dumps(expected).replace("{topic}", sound["data"][1]["topic"]))
    assert broken["data"][1] == sound["data"][1] | row
    assert ask("tickets?limit=3").json() == sound


def test_faults_of_the_answer_work_on_pages_of_a_cursor(ask, fault):
    first = ask("tickets?limit=3").json()
    second = f"tickets?limit=3&cursor={first['next_cursor']}"
    fault("500@tickets?page=2")
    assert [ask("tickets?limit=3").status_code, ask(second).status_code] == [200, 500]
    sound = ask(second).json()
    fault("repeat_page@tickets?page=2")
    assert ask(second).json() == {"data": first["data"], "next_cursor": sound["next_cursor"]}
    fault("empty@tickets")
    assert ask(second).json() == {"data": [], "next_cursor": None}
    fault("truncated@tickets")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        ask(second).json()


def test_a_walk_goes_on_where_it_was_when_a_ticket_has_moved(make):
    """The cursor is a place in time: who changes in the meantime comes again at the end."""
    today, tomorrow = (Desk(make(orders=1_000_000, days=days)) for days in (59, 60))
    first = TicketPage(today, 50)
    cursor = json.loads(first.body(b"[]"))["next_cursor"]
    rest = TicketPage(tomorrow, 10_000, after=read_cursor(cursor))
    names = {row["id"] for page in (first, rest) for row in json.loads(page.rows())}
    assert names == set(tomorrow.tickets()["id"])
