"""Where alerts end in a test: HTTP and SMTP servers on loopback that keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OK, REFUSES, HANGS = "ok", "refuses", "hangs"


@dataclass
class Sink:
    """An HTTP server; `mode` may be changed while it runs."""

    port: int = 0
    mode: str = OK
    taken: list[tuple[str, str, str]] = field(default_factory=list)  # path, title, body
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "all") -> str:
        """As apprise is told."""
        return f"json://user:geheim@127.0.0.1:{self.port}/{path}"

    def titles(self, path: str = "all") -> list[str]:
        """What came to a path, in order."""
        return [title for at, title, _ in self.taken if at == path]


@contextmanager
def http_sink() -> Iterator[Sink]:
    """A sink on a free port."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if sink.mode == HANGS:
                sink.over.wait(30)
            if sink.mode == OK:
                sink.taken.append((self.path[1:], said["title"], said["message"]))
            self.send_response(200 if sink.mode == OK else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield sink
    finally:
        sink.over.set()
        server.shutdown()
        server.server_close()


@dataclass
class Post:
    """An SMTP server: the recipients of each mail and the mail."""

    port: int = 0
    mails: list[tuple[list[str], Message]] = field(default_factory=list)


@contextmanager
def smtp_sink() -> Iterator[Post]:
    """A sink that speaks as much SMTP as a client needs to hand over a mail."""
    post = Post()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.answer("220 sink")
            recipients: list[str] = []
            while line := self.rfile.readline().decode().strip():
                word = line.upper()
                if word.startswith("RCPT TO:"):
                    recipients.append(line[8:].split()[0].strip("<>"))
                if word == "DATA":
                    self.answer("354 go on")
                    post.mails.append((recipients, message_from_bytes(b"".join(self.lines()))))
                self.answer("221 bye" if word == "QUIT" else "250 sink")

        def lines(self) -> Iterator[bytes]:
            while (line := self.rfile.readline()) != b".\r\n":
                yield line

        def answer(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        post.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield post
        finally:
            server.shutdown()
