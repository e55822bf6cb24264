"""An API is described in data: however it pages and whatever login it wants, all rows come."""

import re
from typing import Any

import msgspec
import pytest

from ingestion.contract import Column, Contract
from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint, rest_pages
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.pages import _as_safe
from tests.ingestion.declared.habits import HABITS, SAID, Habits, basic, bearer

THINGS = Contract("things", ("id",), (Column("id", "text"),))


@pytest.fixture
def api():
    with Habits([{"id": f"n{number}"} for number in range(1, 6)]) as found:
        yield found


def walk(api: Habits, habit: str, auth: Any = None, **changes: Any) -> list[str]:
    endpoint = Endpoint(THINGS, habit, **(SAID[habit] | changes))
    pages = list(rest_pages(endpoint, api.url, auth))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    return [msgspec.json.decode(row)["id"] for page in pages for row in page.rows]


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("count", [0, 4, 5])
def test_all_rows_come_once_and_in_order(api, habit, count):
    api.rows = api.rows[:count]
    assert walk(api, habit) == [row["id"] for row in api.rows]


def test_headers_go_along_and_the_first_load_asks_for_what_it_is_told(api):
    api.login = lambda headers, query: headers.get("X-Version") == "7" and query["since"] == "all"
    cursor = Cursor("id", "since", first="all")
    endpoint = Endpoint(THINGS, "cursor", cursor=cursor, **SAID["cursor"])
    pages = rest_pages(endpoint, api.url, headers={"X-Version": "7"})
    assert sum(len(page.rows) for page in pages) == 5


@pytest.mark.parametrize("end", ["", False, None])
def test_a_next_url_of_nothing_is_the_end(api, end):
    api.end = end
    assert len(walk(api, "next_url")) == 5


@pytest.mark.parametrize(
    ("auth", "login"),
    [
        ({"type": "bearer", "token": "s3cret"}, bearer("s3cret")),
        ({"type": "http_basic", "username": "us", "password": "s3cret"}, basic("us", "s3cret")),
        (
            {"type": "api_key", "name": "X-Api-Key", "api_key": "s3cret"},
            lambda headers, query: headers.get("X-Api-Key") == "s3cret",
        ),
        (
            {"type": "api_key", "name": "appid", "api_key": "s3cret", "location": "query"},
            lambda headers, query: query.get("appid") == "s3cret",
        ),
    ],
    ids=["bearer", "basic", "header", "query"],
)
@pytest.mark.parametrize("habit", ["cursor", "next_url"])
def test_each_kind_of_login_goes_along_on_every_page_and_is_shown_nowhere(api, habit, auth, login):
    api.login = login
    endpoint = Endpoint(THINGS, habit, **SAID[habit])
    pages = list(rest_pages(endpoint, api.url, auth))
    assert sum(len(page.rows) for page in pages) == 5
    assert not [page.url for page in pages if "s3cret" in page.url]
    with pytest.raises(SourceFailed, match="401: it wants credentials") as caught:
        walk(api, habit)
    wrong = {name: "wr0ng" if value == "s3cret" else value for name, value in auth.items()}
    with pytest.raises(SourceFailed, match="refuses ours") as caught:
        walk(api, habit, wrong)
    assert "wr0ng" not in str(caught.value)


def test_a_token_is_got_for_client_credentials_and_used_on(api):
    api.login = bearer("token1")
    auth = {"type": "oauth2_client_credentials", "access_token_url": f"{api.url}/token",
            "client_id": "us", "client_secret": "s3cret"}  # fmt: skip
    assert len(walk(api, "cursor", auth)) == 5
    assert api.tokens == 1
    with pytest.raises(SourceFailed, match="401: it wants credentials, or refuses ours") as caught:
        walk(api, "cursor", auth | {"client_secret": "wr0ng"})
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": "meta.nothing"}, "nothing at 'nothing'"),
        ({"rows": "meta"}, "Expected `array | null`, got `object`"),
        ({"paginator": "by_magic"}, "the paginator 'by_magic' cannot be: .*header_link"),
        ({"paginator": "auto"}, "must be named"),
        ({"paginator": {"type": "offset"}}, "cannot be: .*limit"),
        ({"paginator": {"type": "offset", "limit": 2}}, "the paginator OffsetPaginator expects"),
    ],
)
def test_a_wrong_description_is_named_without_the_rows(api, changes, said):
    api.rows = [{"id": "private"}]
    with pytest.raises((SourceFailed, WrongSetting)) as caught:
        walk(api, "cursor", **changes)
    assert re.search(said, str(caught.value))
    assert "private" not in str(caught.value)


def test_a_next_page_on_another_host_does_not_get_our_credentials(api):
    with Habits(api.rows) as other:
        api.url = other.url  # what it says of itself in the next URL
        own = f"http://127.0.0.1:{api._server.server_port}"
        endpoint = Endpoint(THINGS, "next_url", **SAID["next_url"])
        auth = {"type": "bearer", "token": "s3cret"}
        with pytest.raises(SourceFailed, match="shall not get the credentials"):
            list(rest_pages(endpoint, own, auth))
        assert not other.asked
        assert len(list(rest_pages(endpoint, own))) == 3, "without credentials it may go anywhere"


def test_a_next_page_is_not_asked_for_in_the_clear():
    base = "https://host/api"
    assert _as_safe("http://host/api?page=2", base) == "https://host/api?page=2"
    for other in ("http://other/api", "https://host/api", "http://host:80/api"):
        assert _as_safe(other, base) == other
    assert _as_safe("http://host/x", "http://host/api") == "http://host/x"


@pytest.mark.parametrize("words", [{"type": "magic"}, {"type": "bearer", "tokn": "s3cret"}])
def test_a_wrong_auth_is_named_without_its_secret(api, words):
    with pytest.raises(WrongSetting, match="The auth") as caught:
        walk(api, "cursor", words)
    assert "s3cret" not in str(caught.value)
