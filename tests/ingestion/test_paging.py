"""Pages are followed to the last one, whatever the server's JSON and links look like."""

import base64
from typing import Any

import msgspec
import pytest

from ingestion.errors import SourceFailed
from ingestion.pages import Page, PageClient
from tests.ingestion.peer import Peer
from tests.ingestion.raw import row_counts
from tests.ingestion.rows import make_orders


def walk(url: str, **params: Any) -> list[Page]:
    return list(PageClient(url).pages("orders", "orders", {"page_size": 2} | params))


def ids(pages: list[Page]) -> list[str]:
    return [msgspec.json.decode(row)["id"] for page in pages for row in page.rows]


@pytest.fixture
def seven_orders(peer: Peer) -> list[str]:
    names = [f"o{number}" for number in range(1, 8)]
    peer.tables["orders"] = make_orders(*names)
    return names


@pytest.mark.parametrize("links", ["path", "absolute"])
@pytest.mark.parametrize(
    "style",
    [{}, {"indent": 2}, {"separators": (",", ":")}, {"sort_keys": True}, {"ensure_ascii": False}],
    ids=["plain", "pretty", "tight", "sorted keys", "utf-8"],
)
def test_all_rows_come_in_order_and_once(peer, seven_orders, links, style):
    peer.links, peer.style = links, style
    pages = walk(peer.url)
    assert ids(pages) == seven_orders
    assert [(page.number, len(page.rows)) for page in pages] == [(1, 2), (2, 2), (3, 2), (4, 1)]


def test_each_page_says_where_it_came_from(peer, seven_orders):
    assert [page.url for page in walk(peer.url)] == [
        f"{peer.url}/orders?page_size=2",
        *(f"{peer.url}/orders?page_size=2&page={number}" for number in (2, 3, 4)),
    ]


def test_the_next_page_is_asked_for_as_the_server_wrote_it(peer, seven_orders):
    walk(peer.url, start_date="2024-09-01")
    assert peer.asked[1] == "/api/v1/orders?page_size=2&start_date=2024-09-01&page=2"


def test_a_base_url_with_a_slash_at_its_end_is_the_same(peer, seven_orders):
    assert ids(walk(peer.url + "/")) == seven_orders


def test_an_empty_list_is_one_page_without_rows(peer):
    peer.tables["orders"] = []
    assert [page.rows for page in walk(peer.url)] == [[]]


def test_the_demo_api_is_paged_through_too(api):
    rows = row_counts(api)["orders"]
    pages = walk(api, page_size=10)
    assert sum(len(page.rows) for page in pages) == rows
    assert len(pages) == -(-rows // 10)


def test_a_login_in_the_base_url_is_used_on_every_page_and_shown_on_none(peer, seven_orders):
    peer.login = "Basic " + base64.b64encode(b"ada:s3cret").decode()
    pages = walk(f"http://ada:s3cret@{peer.host}/api/v1")
    assert ids(pages) == seven_orders
    assert {page.url.partition("?")[0] for page in pages} == {f"{peer.url}/orders"}


@pytest.mark.parametrize("body", [b"[]", b'[{"id": "o1"}]'], ids=["empty", "with rows"])
@pytest.mark.parametrize("next_page", ["/api/v1/orders", "/api/v1/orders?page=2"])
def test_pages_that_go_round_in_a_circle_come_to_an_end(peer, body, next_page):
    peer.answers["orders"] = lambda query: (200, {"Link": f'<{next_page}>; rel="next"'}, body)
    with pytest.raises(SourceFailed, match=r"round in a circle|the same page twice"):
        list(PageClient(peer.url).pages("orders", "orders", {}))
    assert len(peer.asked) < 10


def test_two_pages_without_rows_are_no_repetition(peer):
    def answer(query):
        more = {} if query.get("page") == "2" else {"Link": '</api/v1/orders?page=2>; rel="next"'}
        return 200, more, b"[]"

    peer.answers["orders"] = answer
    assert [page.rows for page in walk(peer.url)] == [[], []]
