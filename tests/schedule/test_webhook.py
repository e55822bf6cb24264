"""The webhook over real HTTP."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from psycopg2.extensions import connection

from orchestration.errors import ConfigurationError, WarehouseUnreachable
from orchestration.schedule import slots
from orchestration.schedule.webhook import LARGEST, TriggerServer, parse_address
from orchestration.warehouse import Warehouse
from tests.databases import query

SECRET = "geheim-geheim-geheim"
BEARER = {"Authorization": f"Bearer {SECRET}"}
HERE = ("127.0.0.1", 0)


class Made:
    """A server on the test's database, and what became of its calls."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.news, self.well = warehouse, 0, True
        self.server = TriggerServer(HERE, SECRET, self.connect, self.heard, lambda: self.well)

    def connect(self) -> Warehouse:
        return self.warehouse

    def heard(self) -> None:
        self.news += 1

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        caller = HTTPConnection(*self.server.server_address[:2], timeout=5)
        caller.request(
            method, path, body, {name.replace("_", "-"): v for name, v in headers.items()}
        )
        answer = caller.getresponse()
        text = answer.read()
        caller.close()
        return answer.status, json.loads(text) if text else {}


@pytest.fixture
def hook(warehouse: Warehouse, session: connection) -> Iterator[Made]:
    """The server at work."""
    made = Made(warehouse)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_who_knows_the_secret_gets_a_run_and_can_ask_about_it(
    hook: Made, session: connection
) -> None:
    status, answer = hook.ask("POST", "/run", b"{}", **BEARER)
    assert (status, answer["waits_already"], hook.news) == (202, False, 1)
    again = hook.ask("POST", "/run", **BEARER)
    assert again == (202, {"run_id": answer["run_id"], "waits_already": True})
    assert query(hook.warehouse, "select cause, status, run_ids from ops.slots") == [
        ("webhook", "waiting", [answer["run_id"]])
    ]
    status, shown = hook.ask("GET", f"/runs/{answer['run_id']}", **BEARER)
    assert (status, shown["status"], shown["exit_code"]) == (200, "waiting", None)
    with slots.queue(session) as cursor:
        cursor.execute("update ops.slots set status = 'rejected', exit_code = 3")
    assert hook.ask("GET", f"/runs/{answer['run_id']}", **BEARER)[1]["exit_code"] == 3
    assert hook.ask("GET", "/runs/another", **BEARER) == (404, {})


def test_a_signature_of_the_body_is_as_good(hook: Made) -> None:
    body = b'{"ref": "refs/heads/main"}'
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert hook.ask("POST", "/run", body, X_Hub_Signature_256=f"sha256={signed}")[0] == 202
    assert hook.ask("POST", "/run", body + b" ", X_Hub_Signature_256=f"sha256={signed}")[0] == 401


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": SECRET}, {"Authorization": "Bearer"},
     {"Authorization": f"Bearer {SECRET}x"}, {"Authorization": "Bearer \xe9"},
     {"X_Hub_Signature_256": "sha256="}, {"Authorization": f"Basic {SECRET}"}],
)  # fmt: skip
def test_others_are_not_told_why(hook: Made, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/run"), ("GET", "/runs/x"), ("GET", "/"), ("POST", "/nothing")):
        assert hook.ask(method, path, **headers) == (401, {})
    assert query(hook.warehouse, "select from ops.slots") == []


def test_bodies_have_an_end_and_a_limit(hook: Made) -> None:
    assert hook.ask("POST", "/run", b"x" * LARGEST, **BEARER)[0] == 202
    assert hook.ask("POST", "/run", Content_Length=str(LARGEST + 1), **BEARER)[0] == 413
    assert hook.ask("POST", "/run", Transfer_Encoding="chunked", **BEARER)[0] == 411
    assert hook.ask("POST", "/run", Content_Length="-1", **BEARER)[0] == 411
    assert hook.ask("POST", "/elsewhere", **BEARER)[0] == 404


def test_health_is_for_everybody(hook: Made) -> None:
    assert hook.ask("GET", "/healthz") == (200, {"well": True})
    hook.well = False
    assert hook.ask("GET", "/healthz") == (503, {"well": False})
    assert hook.ask("POST", "/run", **BEARER)[0] == 503


def test_without_a_warehouse_it_says_so(hook: Made) -> None:
    def away() -> Warehouse:
        raise WarehouseUnreachable("no")

    hook.server.connect = away
    assert hook.ask("POST", "/run", **BEARER) == (503, {"error": "the warehouse is away"})
    assert hook.news == 0


@pytest.mark.parametrize(("secret", "says"), [(None, "is missing"), ("short", "is short")])
def test_a_server_needs_a_secret(warehouse: Warehouse, secret: str | None, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TriggerServer(HERE, secret, lambda: warehouse, print, lambda: True)
    assert says in str(caught.value)
    assert "openssl rand -hex 32" in str(caught.value)
    assert "short," not in str(caught.value)


def test_a_port_that_is_taken_is_a_sentence(warehouse: Warehouse) -> None:
    with socket.create_server(HERE) as taken, pytest.raises(ConfigurationError) as caught:
        TriggerServer(taken.getsockname(), SECRET, lambda: warehouse, print, lambda: True)
    assert "cannot be listened on" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.1.1.1:80", ("10.1.1.1", 80)), ("[::1]:0", ("::1", 0)), (":8090", ("127.0.0.1", 8090))],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["8090", "host", "host:x", "host:99999", "a b:1"])
def test_or_it_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give HOST:PORT"):
        parse_address(text)
