"""A server of the shop's contract that is not the demo API: other JSON, other links, few rows."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.ingestion.loopback import Answering, Loopback
from tests.ingestion.rows import Row, small_shop

PREFIX = "/api/v1/"
Answer = tuple[int, dict[str, str], bytes]


class Peer(Loopback):
    """Serves `tables`; `style` writes the JSON, `links` is "path" or "absolute".

    `answers` maps an endpoint to a function that answers in its place, given the query.
    `asked` lists the requests as they came.
    """

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = small_shop()
        self.style: dict[str, Any] = {}
        self.links = "path"
        self.login: str | None = None  # the Authorization header that it insists on
        self.answers: dict[str, Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[str] = []
        super().__init__(_handler(self))
        self.url += PREFIX.rstrip("/")

    def answer(self, endpoint: str, query: dict[str, str]) -> Answer:
        if endpoint in self.answers:
            return self.answers[endpoint](query)
        rows = self.tables[endpoint]
        if endpoint == "orders":
            first, last = query.get("start_date", "0"), query.get("end_date", "9")
            rows = [row for row in rows if first <= row["ordered_at"][:10] <= last]
        size, page = int(query.get("page_size", 100)), int(query.get("page", 1))
        link = f"{PREFIX}{endpoint}?" + "&".join(
            f"{name}={value}" for name, value in (query | {"page": str(page + 1)}).items()
        )
        link = f"http://{self.host}{link}" if self.links == "absolute" else link
        headers = {"Link": f'<{link}>; rel="next"'} if len(rows) > page * size else {}
        return 200, headers, self.json(rows[(page - 1) * size : page * size])

    def json(self, rows: Any) -> bytes:
        return json.dumps(rows, **self.style).encode()


def _handler(peer: Peer) -> type[Answering]:
    class Handler(Answering):
        def do_GET(self) -> None:
            peer.asked.append(self.path)
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            endpoint = url.path.removeprefix(PREFIX)
            if peer.login and self.headers.get("Authorization") != peer.login:
                status, headers, body = 401, {}, b"who are you?"
            elif endpoint in peer.tables or endpoint in peer.answers:
                status, headers, body = peer.answer(endpoint, query)
            else:
                status, headers, body = 404, {}, b"nothing here"
            self.send(status, body, headers)

    return Handler
