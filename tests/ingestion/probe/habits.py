"""One server with the habits of many: each path prefix pages and filters in its own way."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.ingestion.loopback import Answering, Loopback

Row = dict[str, Any]
Query = dict[str, str]
Answer = tuple[int, Any, dict[str, str]]


def tickets(number: int = 730) -> list[Row]:
    """Rows of the kind that APIs send: nested, with nulls, numbers in quotes and ids of others."""
    return [
        {
            "id": n,
            "ticketCode": f"T-{n:05}",
            "status": ("open", "closed", "waiting")[n % 3],
            "priority": n % 5,
            "price": n + (0.25 if n % 7 else 0),
            "fee": f"{n}.50",
            "zip": f"0{n % 10000:04}",
            "score": n / 7,
            "urgent": n % 2 == 0,
            "due": f"2024-0{n % 9 + 1}-1{n % 10}",
            "created_at": f"2024-01-{n % 28 + 1:02}T08:00:00Z",
            "updated_at": f"2024-{n // 100 + 2:02}-{n % 28 + 1:02}T{n % 24:02}:00:00Z",
            "customer": {"name": f"Person {n % 40}", "email": f"p{n % 40}@example.org",
                         "address": None if n % 3 else {"city": "Lyon"}},
            "tags": ["a", "b"][: n % 3],
            "lines": [{"sku": f"S{k}", "quantity": k + 1} for k in range(n % 3)],
            "note": None,
        }
        for n in range(1, number + 1)
    ]  # fmt: skip


TABLES: dict[str, list[Row]] = {
    "tickets": tickets(),
    "agents": [{"agent_id": f"a{n}", "name": f"Agent {n}"} for n in range(4)],
    "readings": [
        {"sensor": f"s{n % 30}", "level": n % 17, "unit": "m"} for n in range(400)
    ],
}  # fmt: skip


def _github(rows: list[Row], query: Query, url: str) -> Answer:
    """Page numbers, a Link header, `since`; 30 in a page unless asked for up to 100."""
    rows = [row for row in rows if row.get("updated_at", "") >= query.get("since", "")]
    size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
    more = {**query, "page": str(page + 1)}
    link = {"Link": f'<{url}?{urlencode(more)}>; rel="next"'} if len(rows) > page * size else {}
    return 200, rows[(page - 1) * size : page * size], link


def _stripe(rows: list[Row], query: Query, url: str) -> Answer:
    """The id of the last row leads on; `has_more` ends it."""
    ids = [str(next(iter(row.values()))) for row in rows]
    start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
    size = int(query.get("limit", 10))
    if size > 100:
        return 400, {"error": "limit is at most 100"}, {}
    found = rows[start : start + size]
    return 200, {"object": "list", "data": found, "has_more": start + size < len(rows)}, {}


def _django(rows: list[Row], query: Query, url: str) -> Answer:
    """`count`, `next`, `previous`, `results`; fifty in a page, and nothing changes that."""
    page = int(query.get("page", 1))
    if (page - 1) * 50 >= len(rows):
        return 404, {"detail": "Invalid page."}, {}
    after = f"{url}?page={page + 1}" if page * 50 < len(rows) else None
    found = rows[(page - 1) * 50 : page * 50]
    return 200, {"count": len(rows), "next": after, "previous": None, "results": found}, {}


def _odata(rows: list[Row], query: Query, url: str) -> Answer:
    """`$top` and `$skip`, and no word of what is next."""
    start, size = int(query.get("$skip", 0)), int(query.get("$top", 25))
    return 200, {"@odata.count": len(rows), "value": rows[start : start + size]}, {}


def _tokens(rows: list[Row], query: Query, url: str) -> Answer:
    """A cursor in the answer's meta; a parameter that it does not know is an error."""
    if query.keys() - {"limit", "cursor", "modified_since"}:
        return 422, {"error": "unknown parameter"}, {}
    rows = [row for row in rows if row.get("updated_at", "") >= query.get("modified_since", "")]
    start, size = int(query.get("cursor", "c0")[1:]), min(int(query.get("limit", 20)), 500)
    after = f"c{start + size}" if start + size < len(rows) else ""
    return 200, {"meta": {"next_cursor": after}, "items": rows[start : start + size]}, {}


def _numbers(rows: list[Row], query: Query, url: str) -> Answer:
    """Pages counted from 0; it gives the last page for all that come after."""
    size = int(query.get("size", 20))
    pages = -(-len(rows) // size)
    page = min(int(query.get("page", 0)), pages - 1)
    body = {"content": rows[page * size : (page + 1) * size], "totalPages": pages,
            "totalElements": len(rows)}  # fmt: skip
    return 200, body, {}


def _plain(rows: list[Row], query: Query, url: str) -> Answer:
    """All of it, whatever is asked; unknown parameters are filters, as json-server has them."""
    known = [(k, v) for k, v in query.items() if rows and k in rows[0]]
    return 200, [row for row in rows if all(str(row[k]) == v for k, v in known)], {}


HABITS: dict[str, Callable[[list[Row], Query, str], Answer]] = {
    "github": _github, "stripe": _stripe, "django": _django, "odata": _odata, "tokens": _tokens,
    "numbers": _numbers, "plain": _plain,
}  # fmt: skip


class Habits(Loopback):
    """Serves TABLES at `/<habit>/<table>`; `/<habit>` is an index of links."""

    def __init__(self) -> None:
        self.tables = dict(TABLES)
        self.files: dict[str, Any] = {}  # path -> JSON, such as /openapi.json
        self.header: tuple[str, str] | None = None  # a header that it insists on
        self.busy = 0  # requests to come that are told to wait a second
        self.asked: list[str] = []
        super().__init__(_handler(self))

    def answer(self, path: str, query: Query) -> Answer:
        """Status, JSON and headers."""
        if path in self.files:
            return 200, self.files[path], {}
        habit, _, table = path.strip("/").partition("/")
        if habit in HABITS and not table:
            return 200, {name: f"{self.url}/{habit}/{name}" for name in self.tables}, {}
        if habit not in HABITS or table not in self.tables:
            return 404, {"error": "nothing here"}, {}
        return HABITS[habit](self.tables[table], query, f"{self.url}/{habit}/{table}")


def _handler(habits: Habits) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            habits.asked.append(self.path)
            url = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            if habits.busy:
                habits.busy -= 1
                status, body, headers = 429, {}, {"Retry-After": "1"}
            elif habits.header and self.headers.get(habits.header[0]) != habits.header[1]:
                status, body, headers = 401, {}, {"WWW-Authenticate": "Bearer"}
            else:
                status, body, headers = habits.answer(url.path, query)
            self.send(status, json.dumps(body).encode(), headers)

    return Handler
