"""What each fault does to an answer: a table from its name to the function that answers instead."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import NamedTuple

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ingestion.demo_api import bad_rows
from ingestion.demo_api.page import AnyPage

DROP = "ecluse.drop"  # the key in a request's scope under which the server offers to hang up
_LOGIN = "<!doctype html><title>Sign in</title><h1>Please sign in to the shop</h1>"
_SAYS = {
    401: "Who are you? A token is missing.",
    404: "There is nothing at this address.",
    429: "Too many requests.",
    500: "The shop broke.",
    503: "The shop is being repaired.",
}


@dataclass(frozen=True)
class Options:
    """The details of a fault; times in seconds, `row` from 0, `column` None for the usual one."""

    retry_after: int = 1
    delay: float = 2.0
    row: int = 0
    column: str | None = None


Answer = Callable[[AnyPage, Options], Response]


class Kind(NamedTuple):
    """A fault: its answer, what it does in a few words, the options it reads."""

    answer: Answer
    summary: str
    options: tuple[str, ...] = ()


class _Dropped(Response):
    """An answer cut off by closing the connection: at once, or after half of the body."""

    def __init__(self, body: bytes, in_mid_body: bool) -> None:
        super().__init__(body, media_type="application/json")
        self._in_mid_body = in_mid_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is to be sent, then hang up."""
        if self._in_mid_body:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = self.body[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        scope["extensions"][DROP]()
        # The server learns of the closed connection on the loop's next turns; an answer that ends
        # before that is logged as a bug of the application.
        await asyncio.sleep(0.01)


def _status(code: int) -> Answer:
    def answer(_: AnyPage, options: Options) -> Response:
        headers = {"Retry-After": str(options.retry_after)} if code in (429, 503) else {}
        return JSONResponse({"detail": _SAYS[code]}, code, headers)

    return answer


def _json(body: bytes, page: AnyPage) -> Response:
    return Response(body, headers=page.headers, media_type="application/json")


def _whole(page: AnyPage) -> bytes:
    return page.body(page.rows())


def _drop(page: AnyPage, _: Options) -> Response:
    return _Dropped(_whole(page), in_mid_body=False)


def _drop_mid_body(page: AnyPage, _: Options) -> Response:
    return _Dropped(_whole(page), in_mid_body=True)


def _slow(page: AnyPage, options: Options) -> Response:
    body = _whole(page)

    async def halves() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await asyncio.sleep(options.delay)
        yield body[len(body) // 2 :]

    return StreamingResponse(halves(), headers=page.headers, media_type="application/json")


def _truncated(page: AnyPage, _: Options) -> Response:
    body = _whole(page)
    return _json(body[: max(1, len(body) // 2)], page)


def _html(_: AnyPage, __: Options) -> Response:
    return HTMLResponse(_LOGIN)


def _repeat_page(page: AnyPage, _: Options) -> Response:
    return _json(page.body(page.preceding.rows()), page)


def _empty(page: AnyPage, _: Options) -> Response:
    return Response(page.body(b"[]", last=True), media_type="application/json")


def _one_row(spoil: bad_rows.Spoil, usual: Callable[[str], str]) -> Answer:
    def answer(page: AnyPage, options: Options) -> Response:
        rows = json.loads(page.rows())
        for row in rows[options.row : options.row + 1]:
            spoil(row, options.column or usual(page.endpoint))
        return _json(page.body(json.dumps(rows).encode()), page)

    return answer


def _every_row(spoil: bad_rows.Spoil, usual: Callable[[str], str], first: int = 0) -> Answer:
    def answer(page: AnyPage, options: Options) -> Response:
        rows = json.loads(page.rows())
        for row in rows[first:]:
            spoil(row, options.column or usual(page.endpoint))
        return _json(page.body(json.dumps(rows).encode()), page)

    return answer


def _first_column(endpoint: str) -> str:
    return bad_rows.columns(endpoint)[0]


def _new_column(_: str) -> str:
    return "loyalty_points"


_ROW = ("row", "column")
KINDS = {
    "401": Kind(_status(401), "unauthorised"),
    "404": Kind(_status(404), "not found"),
    "429": Kind(_status(429), "too many requests, with Retry-After", ("retry_after",)),
    "500": Kind(_status(500), "server error"),
    "503": Kind(_status(503), "unavailable, with Retry-After", ("retry_after",)),
    "drop": Kind(_drop, "the connection closes before any answer"),
    "drop_mid_body": Kind(_drop_mid_body, "the connection closes half-way through the body"),
    "slow": Kind(_slow, "half of the body, a pause of `delay` seconds, the rest", ("delay",)),
    "truncated": Kind(_truncated, "JSON cut in the middle, in a complete answer"),
    "html": Kind(_html, "200 with a login page instead of JSON"),
    "repeat_page": Kind(_repeat_page, "the rows of the preceding page again"),
    "empty": Kind(_empty, "an empty list and no next page"),
    "missing_key": Kind(
        _one_row(bad_rows.missing_key, bad_rows.key_of), "a row lacks a column", _ROW
    ),
    "null_key": Kind(_one_row(bad_rows.null_key, bad_rows.key_of), "a row's key is null", _ROW),
    "wrong_type": Kind(
        _one_row(bad_rows.wrong_type, _first_column), "a row has a wrong type", _ROW
    ),
    "out_of_range": Kind(
        _one_row(bad_rows.out_of_range, _first_column), "a row has a negative number", _ROW
    ),
    "wrong_total": Kind(
        _every_row(bad_rows.wrong_total, _first_column, first=-1),
        "the last order of a page costs a cent more than its parts",
    ),
    "unknown_column": Kind(
        _every_row(bad_rows.unknown_column, _new_column), "all rows gain a column", ("column",)
    ),
    "type_changed": Kind(
        _every_row(bad_rows.type_changed, _first_column),
        "a column becomes an object in all rows",
        ("column",),
    ),
}
