"""The site over HTTP, with what only a server can have: the live page, its events, the metrics.

The standard library's server: a thread for each open page is cheap here, it starts at once, and it
runs beside a run without an event loop of its own.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6
from threading import Thread, get_ident
from time import sleep
from typing import BinaryIO

import click

from orchestration.errors import ConfigurationError
from orchestration.live.feed import Feed
from orchestration.live.metrics import CONTENT_TYPE, scrape
from orchestration.settings import Settings
from orchestration.site.pages import ASSETS, TEMPLATES
from orchestration.site.writer import site_path

LOOPBACK = "127.0.0.1"
MOST_STREAMS = 50
OWN_NAMES = {"localhost", "127.0.0.1", "::1"}
LINGER = 1.0  # seconds for browsers to fetch the page of a run that has ended
FROM_PACKAGE = (*ASSETS, "live.js")  # there before the first run has written a site
# The pages' bars have their widths in style attributes; dbt's own page is one file of inline code.
NEVER = "form-action 'none'; frame-ancestors 'none'"
OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; base-uri 'none'; {NEVER}"
)
DBTS = f"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; {NEVER}"
NO_LOGIN = (
    "There is no login: whoever reaches this port reads all that the site shows. Put a proxy that "
    "asks who is there before it, or bind to 127.0.0.1."
)


class SiteServer(ThreadingHTTPServer):
    """Serves until it is shut down; streams do not keep the process alive."""

    daemon_threads = True

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        """Bind to `host`, which may be an IPv6 address, and `port`; 0 takes a free one.

        Raises:
            OSError: the address cannot be had.
        """
        self.feed = Feed(settings)
        self.streams: set[int] = set()  # the threads of the pages that are open
        self.address_family = AF_INET6 if ":" in host else AF_INET
        folder = site_path(settings)
        super().__init__((host, port), partial(_Handler, directory=str(folder)))
        self.local = ip_address(self.server_address[0]).is_loopback
        place = f"[{host}]" if ":" in host else host
        self.url = f"http://{place}:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no error; others are shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def open_server(settings: Settings, host: str, port: int, command: str) -> SiteServer:
    """A server that is bound and does not serve yet.

    Raises:
        ConfigurationError: the address cannot be had; names `command` with its option.
    """
    try:
        return SiteServer(settings, host, port)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be used on {host} ({error.strerror}): name another with "
            f"`.venv/bin/ecluse {command} --port N`; 0 takes a free one."
        ) from error


def serve(server: SiteServer) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    click.echo(f"site: {server.url}  (Ctrl-C ends)")
    if not server.local:
        click.echo(NO_LOGIN, err=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("ended")
    finally:
        server.server_close()


@contextmanager
def watching(settings: Settings) -> Iterator[str]:
    """Serve on a free port for as long as the block takes; gives the sentence that says where.

    A server that cannot be had is such a sentence, and nothing worse.
    """
    try:
        server = SiteServer(settings, LOOPBACK, 0)
    except OSError as error:
        yield f"watch    not possible: no port can be had ({error.strerror})"
        return
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"watch    {server.url}live"
    finally:
        server.feed.leaving.set()
        # whoever pressed Ctrl-C wants the prompt back
        if server.streams and not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            sleep(LINGER)
        server.shutdown()
        server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of the site's files, and of four paths that are none."""

    server: SiteServer
    server_version, sys_version = "ecluse", ""
    timeout = 30  # seconds for a request to come in

    def do_GET(self) -> None:
        """A file or a page, or the stream, which has no end."""
        if self._route() == "/events" and self._is_for_us():
            self._stream()
        else:
            super().do_GET()

    def send_head(self) -> BytesIO | BinaryIO | None:
        """The head of an answer, and its body, which the base class sends or not."""
        feed, route = self.server.feed, self._route()
        if not self._is_for_us():
            text = "This server answers to the names of its own machine only.\n"
            return self._text(text, status=HTTPStatus.FORBIDDEN)
        if route == "/":
            site = site_path(feed.settings) / "index.html"
            there = "/index.html" if site.exists() and not feed.now().going else "/live"
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", there)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if route == "/live":
            return self._text(feed.page(), "text/html; charset=utf-8")
        if route == "/events":
            return self._text("", "text/event-stream")
        if route == "/metrics":
            return self._text(scrape(feed.settings, feed.now().going), CONTENT_TYPE)
        return super().send_head()

    def translate_path(self, path: str) -> str:
        """The file of a path; one that a link leads out of the site to is not found."""
        name = path.partition("?")[0].lstrip("/")
        if name in FROM_PACKAGE:
            return str(TEMPLATES / name)
        found, site = super().translate_path(path), Path(self.directory).resolve()
        inside = "\0" not in found and Path(found).resolve().is_relative_to(site)
        return found if inside else str(site / "not found")

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Folders are not shown."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Every answer may do what its page needs, and no more."""
        self.send_header("Content-Security-Policy", DBTS if self._route()[:5] == "/dbt/" else OURS)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _route(self) -> str:
        return getattr(self, "path", "").partition("?")[0]

    def _is_for_us(self) -> bool:
        """On loopback only by its own names: a foreign page may have a name that leads here."""
        name = re.sub(r":\d+$", "", self.headers.get("Host") or "localhost").strip("[]").lower()
        return not self.server.local or name in OWN_NAMES

    def _text(
        self, text: str, kind: str = "text/plain; charset=utf-8", status: int = HTTPStatus.OK
    ) -> BytesIO:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)

    def _stream(self) -> None:
        streams, me = self.server.streams, get_ident()
        if len(streams) >= MOST_STREAMS:
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages are open")
        streams.add(me)
        try:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for text in self.server.feed.stream():
                self.wfile.write(text.encode())
        finally:
            streams.discard(me)
