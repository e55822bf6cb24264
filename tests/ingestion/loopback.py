"""A server on loopback for as long as a `with` block: the fake APIs of the tests are made of it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Loopback:
    """Serves the answers of `handler`; `url` has no path."""

    def __init__(self, handler: type["Answering"]) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Self:
        # asks every 10 ms whether it is to stop; the default of half a second adds up
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Answering(BaseHTTPRequestHandler):
    """Keeps connections open, says nothing on stderr."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        """Answer with JSON, unless the headers say otherwise."""
        self.send_response(status)
        length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (length | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""
