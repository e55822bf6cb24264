"""An API on loopback with the habits of many: its ways of paging, and of wanting a login."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ingestion.probe.openapi import PLACES
from tests.ingestion.loopback import Answering, Loopback

Row = dict[str, Any]
Query = dict[str, str]
Answer = tuple[Any, dict[str, str]]  # what becomes JSON (bytes are JSON already), and headers


class Habits(Loopback):
    """Serves `rows` at `/<habit>`; each of `HABITS` is a way of paging.

    `since` names the column that the parameter `since` (and `until`) goes by. `login` judges the
    headers and the query of a request. `between` is called before each answer.
    """

    def __init__(self, rows: list[Row], size: int = 2) -> None:
        self.rows, self.size = rows, size
        self.since: str | None = None
        self.end: Any = None  # what stands for no next page
        self.login: Callable[[Any, Query], bool] = lambda headers, query: True
        self.between: Callable[[int], None] = lambda number: None
        self.asked: list[str] = []
        self.tokens = 0
        super().__init__(_handler(self))

    def answer(self, habit: str, query: Query) -> Answer:
        rows = self.rows
        if self.since and "since" in query:
            rows = [row for row in rows if str(row[self.since]) >= query["since"]]
        if self.since and "until" in query:
            rows = [row for row in rows if str(row[self.since]) < query["until"]]
        return HABITS[habit](self, rows, query)


def link_header(api: Habits, rows: list[Row], query: Query) -> Answer:
    page = int(query.get("page", 1))
    more = {"Link": f'</link_header?{urlencode(query | {"page": page + 1})}>; rel="next"'}
    return _cut(api, rows, (page - 1) * api.size), more if len(rows) > page * api.size else {}


def page_number(api: Habits, rows: list[Row], query: Query) -> Answer:
    return {"items": _cut(api, rows, (int(query["page"]) - 1) * api.size)}, {}


def offset(api: Habits, rows: list[Row], query: Query) -> Answer:
    start, size = int(query["offset"]), int(query["limit"])
    return {"total": len(rows), "data": {"rows": rows[start : start + size]}}, {}


def cursor(api: Habits, rows: list[Row], query: Query) -> Answer:
    start = int(query.get("page_token", "t0")[1:])
    more = f"t{start + api.size}" if len(rows) > start + api.size else None
    return {"data": _cut(api, rows, start), "meta": {"next": more}}, {}


def next_url(api: Habits, rows: list[Row], query: Query) -> Answer:
    start = int(query.get("from", 0))
    more = f"{api.url}/next_url?{urlencode(query | {'from': start + api.size})}"
    return {
        "results": _cut(api, rows, start),
        "next": more if len(rows) > start + api.size else api.end,
    }, {}


def last_id(api: Habits, rows: list[Row], query: Query) -> Answer:
    after = [row for row in rows if str(row["id"]) > query.get("starting_after", "")]
    return {"data": _cut(api, after, 0), "has_more": len(after) > api.size}, {}


def single(api: Habits, rows: list[Row], query: Query) -> Answer:
    return [{"count": len(rows)}, rows], {}


HABITS: dict[str, Callable[[Habits, list[Row], Query], Answer]] = {
    each.__name__: each
    for each in (link_header, page_number, offset, cursor, next_url, last_id, single)
}
# how each of them is named to the engine: where the rows are, and the paginator
SAID: dict[str, dict[str, Any]] = {
    "link_header": {"paginator": "header_link"},
    "page_number": {
        "rows": "items",
        "paginator": {"type": "page_number", "base_page": 1, "total_path": None},
    },
    "offset": {"rows": "data.rows", "paginator": {"type": "offset", "limit": 2}},
    "cursor": {
        "rows": "$.data",
        "paginator": {"type": "cursor", "cursor_path": "meta.next", "cursor_param": "page_token"},
    },
    "next_url": {
        "rows": "results",
        "paginator": {"type": "json_link", "next_url_path": "next"},
    },
    "last_id": {
        "rows": "data",
        "paginator": {
            "type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "starting_after",
            "has_more_path": "has_more",
        },
    },
    "single": {"rows": "[1]"},
}  # fmt: skip


def bearer(token: str) -> Callable[[Any, Query], bool]:
    return lambda headers, query: headers.get("Authorization") == f"Bearer {token}"


def basic(user: str, password: str) -> Callable[[Any, Query], bool]:
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return lambda headers, query: headers.get("Authorization") == wanted


def _cut(api: Habits, rows: list[Row], start: int) -> list[Row]:
    return rows[start : start + api.size]


def _handler(api: Habits) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            api.asked.append(self.path)
            api.between(len(api.asked))
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query))
            if not api.login(self.headers, query):
                self.send(401, b'{"error": "who are you?"}', {})
                return
            if url.path.rpartition("/")[2] in PLACES:
                self.send(403, b"", {})  # as some do to what they do not have
                return
            said, headers = api.answer(url.path.strip("/"), query)
            self.send(200, said if isinstance(said, bytes) else json.dumps(said).encode(), headers)

        def do_POST(self) -> None:
            sent = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            good = sent.get("client_id") == "us" and sent.get("client_secret") == "s3cret"
            api.tokens += good
            said = json.dumps({"access_token": f"token{api.tokens}", "expires_in": 3600})
            self.send(200 if good else 401, said.encode() if good else b"{}", {})

    return Handler
