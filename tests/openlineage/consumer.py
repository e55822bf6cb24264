"""A consumer of events on loopback: takes them, refuses them, or never answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Consumer:
    """What has come, and how it answers."""

    url: str = ""
    status: int = 201
    events: list[dict[str, Any]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    logins: set[str | None] = field(default_factory=set)
    silent: threading.Event | None = None  # when set up: no answer before it is set


@contextmanager
def consumer(status: int = 201, silent: bool = False) -> Iterator[Consumer]:
    """One that listens for as long as the block runs."""
    found = Consumer(status=status, silent=threading.Event() if silent else None)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            found.events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            found.paths.add(self.path)
            found.logins.add(self.headers["Authorization"])
            if found.silent:
                found.silent.wait(30)
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        if found.silent:
            found.silent.set()
        server.shutdown()
        server.server_close()
