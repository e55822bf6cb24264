"""What the public API's clients rely on, asked of the real server over loopback."""

import re

import pytest
import requests

from ingestion.demo_api import page as page_module
from ingestion.demo_api.page import Page
from ingestion.demo_api.serve import running
from ingestion.demo_api.shop import ENDPOINTS

COLUMNS = {
    "customers": {"id", "name"},
    "orders": {
        "id",
        "customer_id",
        "store_id",
        "ordered_at",
        "subtotal",
        "tax_paid",
        "order_total",
        "items",
    },
    "items": {"id", "order_id", "sku"},
    "products": {"sku", "name", "type", "price", "description"},
    "stores": {"id", "name", "opened_at", "tax_rate"},
    "supplies": {"id", "name", "cost", "perishable", "sku"},
}


def walk(fetch, path):
    """Follow the links from `path` to the end."""
    while path:
        answer = fetch(path)
        yield answer
        link = answer.links.get("next")
        path = link and link["url"].removeprefix("/api/v1/")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_rows_have_the_contract_s_columns_and_no_json_numbers(fetch, endpoint):
    rows = fetch(endpoint).json()
    assert rows
    for row in rows:
        assert set(row) == COLUMNS[endpoint]
        values = {name: value for name, value in row.items() if name not in ("items", "perishable")}
        assert all(isinstance(value, str) for value in values.values()), row


def test_numbers_times_and_booleans_are_written_as_the_public_api_writes_them(fetch):
    order = fetch("orders?page_size=1").json()[0]
    assert re.fullmatch(r"\d+", order["subtotal"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", order["ordered_at"])
    assert {item["order_id"] for item in order["items"]} == {order["id"]}
    assert set(order["items"][0]) == {"id", "order_id", "sku"}
    assert fetch("stores").json()[0]["tax_rate"] == "0.06"
    assert {row["perishable"] for row in fetch("supplies").json()} == {True, False}


def test_a_page_has_a_hundred_rows_unless_told_otherwise(fetch, shop):
    assert len(fetch("orders").json()) == 100
    assert len(fetch("orders?page_size=100000").json()) == shop.count("orders")


def test_the_link_is_a_path_and_keeps_the_other_parameters(fetch):
    expected = '</api/v1/orders?page_size=2&page=2>; rel="next"'
    assert fetch("orders?page_size=2").headers["Link"] == expected
    kept = "start_date=2024-09-02&page_size=3&page=3&end_date=2024-10-01"
    asked = kept.replace("page=3&", "page=2&")
    assert fetch(f"orders?{asked}").headers["Link"] == f'</api/v1/orders?{kept}>; rel="next"'


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_walking_the_links_gives_every_row_once(fetch, endpoint):
    counts = {row["table_name"]: row["row_count"] for row in fetch("row-counts").json()}
    pages = [answer.json() for answer in walk(fetch, f"{endpoint}?page_size=37")]
    rows = [str(row) for page in pages for row in page]
    assert len(rows) == len(set(rows)) == counts[endpoint]
    assert all(len(page) == 37 for page in pages[:-1])
    assert pages[-1]


def test_the_last_page_has_no_link_even_when_it_is_full(fetch):
    assert "Link" in fetch("products?page_size=5&page=1").headers
    assert "Link" not in fetch("products?page_size=5&page=2").headers
    assert "Link" not in fetch("products?page_size=10").headers


@pytest.mark.parametrize("page", [3, 10**9, 10**30])
def test_beyond_the_last_page_is_an_empty_list(fetch, page):
    answer = fetch(f"products?page_size=5&page={page}")
    assert (answer.status_code, answer.content) == (200, b"[]")
    assert "Link" not in answer.headers


def test_dates_are_whole_days_and_both_are_included(fetch, shop):
    url = "orders?page_size=9999&start_date=2024-09-05&end_date=2024-09-07"
    days = {order["ordered_at"][:10] for order in fetch(url).json()}
    assert days == {"2024-09-05", "2024-09-06", "2024-09-07"}
    until = len(fetch("orders?page_size=9999&end_date=2024-09-06").json())
    since = len(fetch("orders?page_size=9999&start_date=2024-09-07").json())
    assert until + since == shop.count("orders")
    assert until and since


@pytest.mark.parametrize(
    "dates",
    [
        "start_date=2030-01-01",
        "end_date=2020-01-01",
        "start_date=2024-09-09&end_date=2024-09-08",
    ],
)
def test_dates_without_orders_give_an_empty_list(fetch, dates):
    answer = fetch(f"orders?{dates}")
    assert (answer.status_code, answer.content) == (200, b"[]")


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page_size=0", "start_date=soon", "end_date=2024-13-01"],
)
def test_bad_parameters_are_refused(fetch, query):
    answer = fetch(f"orders?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_an_unknown_endpoint_is_not_found(fetch):
    assert fetch("tweets").status_code == 404


def test_a_page_of_many_pieces_is_the_same_json(shop, monkeypatch):
    whole = Page(shop, "orders", 1, 100).rows()
    for size in (100, 99, 7, 1):
        monkeypatch.setattr(page_module, "PIECE", size)
        assert Page(shop, "orders", 1, 100).rows() == whole
    assert Page(shop, "orders", 99, 10**6).rows() == b"[]"


def test_a_page_of_any_size_is_answered_whole():
    with running(orders=2_000_000, days=30) as url:
        answer = requests.get(f"{url}/orders?page_size=999999999", timeout=30)
        counts = requests.get(f"{url}/row-counts", timeout=5).json()
    assert "Content-Length" not in answer.headers  # it was sent in pieces
    assert len(answer.json()) == counts[1]["row_count"] > page_module.PIECE


def test_a_small_page_does_not_wait_for_the_network(fetch):
    seconds = min(fetch("stores").elapsed.total_seconds() for _ in range(5))
    assert seconds < 0.03, "head and body must not wait for each other's acknowledgement"


def test_the_front_page_says_what_this_is(base_url, fetch):
    front = fetch("../../").json()
    assert "made-up shop" in front["about"]
    assert front["docs"] == "/docs"


def test_the_api_page_needs_no_other_host(fetch):
    page = fetch("../../docs").text
    assert "http" not in page.replace("http-equiv", "")
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert fetch(f"../..{asset}").status_code == 200, asset


def test_the_schema_describes_every_list_and_its_rows(fetch):
    schema = fetch("../../openapi.json").json()
    assert schema["openapi"].startswith("3.0")
    for endpoint in ENDPOINTS:
        answer = schema["paths"][f"/api/v1/{endpoint}"]["get"]["responses"]["200"]
        reference = answer["content"]["application/json"]["schema"]["items"]["$ref"]
        model = schema["components"]["schemas"][reference.rpartition("/")[2]]
        assert set(model["properties"]) == COLUMNS[endpoint]
        assert model["description"]
