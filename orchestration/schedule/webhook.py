"""A run for whoever knows the secret: POST /run. TLS is for a proxy before it."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConfigurationError, EcluseError
from orchestration.schedule import slots

if TYPE_CHECKING:
    from orchestration.warehouse import Warehouse

SHORTEST = 16  # characters of a secret
LARGEST = 64 * 1024  # bytes of a body
PATIENCE = 10  # seconds for a request to come in
CAUSE = "webhook"
Answer = tuple[HTTPStatus, dict[str, Any] | None]


class TriggerServer(ThreadingHTTPServer):
    """Answers from threads until it is shut down."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        secret: str | None,
        connect: "Callable[[], Warehouse]",
        news: Callable[[], None],
        is_well: Callable[[], bool],
    ) -> None:
        """Bind to `address` (port 0 takes a free one) and serve.

        Args:
            address: host and port.
            secret: what callers must know.
            connect: makes sure that the warehouse answers, and says where it is.
            news: is called when a run was asked for.
            is_well: whether the scheduler is at work.

        Raises:
            ConfigurationError: there is no secret, a short one, or no such port.
        """
        if len(secret or "") < SHORTEST:
            what = "short" if secret else "missing"
            raise ConfigurationError(
                f"ECLUSE_TRIGGER_SECRET is {what}: --listen needs one of {SHORTEST} characters or "
                "more, such as `openssl rand -hex 32` makes."
            )
        self.secret, self.connect = str(secret).encode(), connect
        self.news, self.is_well = news, is_well
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"{address[0]}:{address[1]} cannot be listened on ({error.strerror}): give another "
                "--listen HOST:PORT; port 0 takes a free one."
            ) from error
        Thread(target=partial(self.serve_forever, 0.2), daemon=True).start()

    @property
    def place(self) -> str:
        """Host and port."""
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hung up or sent no HTTP is no trouble of ours."""


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, [::1]:PORT or :PORT, which is this machine only.

    Raises:
        ConfigurationError: it is none of them.
    """
    found = re.fullmatch(r"\[?([^\[\]\s]*?)\]?:(\d{1,5})", text)
    if not found or int(found[2]) > 65535:  # noqa: PLR2004 - the last port
        raise ConfigurationError(f"--listen {text!r}: give HOST:PORT, such as 127.0.0.1:8090.")
    return found[1] or "127.0.0.1", int(found[2])


class _Handler(BaseHTTPRequestHandler):
    server: TriggerServer
    server_version, sys_version = "ecluse", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """`/healthz` for everybody, `/runs/<id>` with the secret."""
        if self.path == "/healthz":
            well = self.server.is_well()
            status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            return self._answer(status, {"well": well})
        if not self._knows_the_secret(b""):
            return self._answer(HTTPStatus.UNAUTHORIZED)
        asked = re.fullmatch(r"/runs/([A-Za-z0-9_.-]{1,50})", self.path)
        if not asked:
            return self._answer(HTTPStatus.NOT_FOUND)
        return self._with_queue(partial(self._show, asked[1]))

    def do_POST(self) -> None:
        """`/run`: ask for a run. The body counts for its signature only."""
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not re.fullmatch(r"\d{1,9}", length):
            return self._answer(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > LARGEST:
            return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not self._knows_the_secret(self.rfile.read(int(length))):
            return self._answer(HTTPStatus.UNAUTHORIZED)
        if self.path != "/run":
            return self._answer(HTTPStatus.NOT_FOUND)
        return self._with_queue(self._ask_for_run)

    def _knows_the_secret(self, body: bytes) -> bool:
        """By `Authorization: Bearer` or by the body's signature, as GitHub makes it."""
        bearer = f"Bearer {self.server.secret.decode()}".encode()
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        digest = hmac.new(self.server.secret, body, hashlib.sha256).hexdigest()
        signed = self.headers.get("X-Hub-Signature-256", "").encode("latin-1", "replace")
        right = hmac.compare_digest(given, bearer)
        return hmac.compare_digest(signed, f"sha256={digest}".encode()) or right

    def _ask_for_run(self, cursor: Any) -> Answer:
        run_id, waited = slots.add_trigger(cursor, CAUSE, datetime.now(UTC))
        return HTTPStatus.ACCEPTED, {"run_id": run_id, "waits_already": waited}

    def _show(self, run_id: str, cursor: Any) -> Answer:
        found = slots.of_run(cursor, run_id)
        return (HTTPStatus.OK if found else HTTPStatus.NOT_FOUND), found

    def _with_queue(self, do: Callable[[Any], Answer]) -> None:
        from psycopg2 import Error

        answer: Answer = (HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the warehouse is away"})
        if self.server.is_well():
            with suppress(EcluseError, Error), self.server.connect().session() as session:
                with slots.queue(session) as cursor:
                    found = do(cursor)
                answer = found
        if answer[0] == HTTPStatus.ACCEPTED:
            self.server.news()
        self._answer(*answer)

    def _answer(self, status: HTTPStatus, body: dict[str, Any] | None = None) -> None:
        text = json.dumps(body, default=str).encode() if body else b""
        self.close_connection = True  # the body of a refused request was not read
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the scheduler tells of runs."""
