"""The server of the site, asked over real HTTP on loopback."""

import json
import os
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread

import pytest

from orchestration.errors import ConfigurationError
from orchestration.live import server as module
from orchestration.live.server import SiteServer, open_server, watching
from tests.live.recorded import ended, node, record, settings_of, step, tell

RUN = "20260102T000000Z-0002"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a site of two files, and a secret beside it."""
    (tmp_path / "site" / "runs").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("<h1>Health</h1>")
    (tmp_path / "site" / "runs" / "index.html").write_text("<h1>Runs</h1>")
    (tmp_path / "secret").write_text("the password")
    return tmp_path


@pytest.fixture
def served(root: Path) -> Iterator[SiteServer]:
    """The server of that project."""
    with open_server(settings_of(root), "127.0.0.1", 0, "serve") as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.feed.leaving.set()
        server.shutdown()


def ask(
    server: SiteServer, path: str, verb: str = "GET", **headers: str
) -> tuple[HTTPResponse, str]:
    """One request; the path goes out as it is."""
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.request(verb, path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def events(server: SiteServer) -> Iterator[tuple[str, str]]:
    """The stream: kind of event and data."""
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.request("GET", "/events")
    answer, kind = connection.getresponse(), "message"
    assert answer.headers["Content-Type"] == "text/event-stream"
    for line in iter(lambda: answer.readline().decode().rstrip("\n"), None):
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, value


def test_health_is_first_until_a_run_begins(served: SiteServer, root: Path) -> None:
    answer, _ = ask(served, "/")
    assert (answer.status, answer.headers["Location"]) == (302, "/index.html")
    assert ask(served, "/index.html")[1] == "<h1>Health</h1>"
    record(root, RUN, step("build", "running"))
    served.feed.leaving.set()  # looks anew at once
    assert ask(served, "/")[0].headers["Location"] == "/live"
    _, page = ask(served, "/live")
    assert "Running: build" in page
    assert '<meta http-equiv="refresh"' in page, "without a script it comes anew by itself"


def test_before_the_first_site_the_live_page_is_first_and_has_its_looks(tmp_path: Path) -> None:
    with open_server(settings_of(tmp_path), "127.0.0.1", 0, "serve") as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        assert ask(server, "/")[0].headers["Location"] == "/live"
        assert "No run yet" in ask(server, "/live")[1]
        for name in ("site.css", "site.js", "live.js"):
            assert ask(server, f"/{name}")[0].status == 200
        server.shutdown()


def test_the_stream_tells_what_changes_and_where_the_run_has_gone(
    served: SiteServer, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.live.feed.PAUSE", 0.05)
    record(root, RUN, step("ingest"), step("build", "running"))
    stream = events(served)
    first = json.loads(next(stream)[1])
    assert first["going"]
    assert first["news"] == f"run {RUN}: Running: build"
    tell(root, RUN, node("model.e.orders"))
    assert any("1 at work" in json.loads(next(stream)[1])["html"] for _ in range(20))
    (root / "site" / "runs" / f"{RUN}.html").touch()
    ended(root, RUN)
    served.feed.leaving.set()
    *before, last = list(stream_to_its_end(stream))
    assert json.loads(before[-1][1])["page"] == f"runs/{RUN}.html"
    assert last == ("leave", f"runs/{RUN}.html")


def stream_to_its_end(stream: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What is left of a stream whose server leaves."""
    for kind, data in stream:
        yield kind, data
        if kind == "leave":
            return


@pytest.mark.parametrize("path", [
    "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/runs/../../secret", "//secret",
    "/..%5csecret", "/link", "/runs/%00", "/live/../../secret", "/site.css/../../secret",
    "/nothing", "/empty/", "/runs.html", "/LIVE", "/dbt",
])  # fmt: skip
def test_nothing_but_the_site_is_served(served: SiteServer, root: Path, path: str) -> None:
    (root / "site" / "empty").mkdir()
    (root / "site" / "link").symlink_to(root / "secret")
    answer, body = ask(served, path)
    assert answer.status in {400, 404}, path
    assert "password" not in body


def test_an_absolute_request_target_gets_nothing_else(served: SiteServer) -> None:
    with socket.create_connection(served.server_address[:2]) as raw:
        raw.sendall(b"GET /../../../../etc/passwd HTTP/1.0\r\n\r\n")
        assert b"404" in raw.makefile("rb").readline()


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_reading_is_possible(served: SiteServer, verb: str) -> None:
    assert ask(served, "/index.html", verb)[0].status == 501


def test_head_is_get_without_a_body(served: SiteServer) -> None:
    for path in ("/", "/index.html", "/live", "/events", "/metrics"):
        answer, body = ask(served, path, "HEAD")
        assert (answer.status in {200, 302}, body) == (True, ""), path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_every_answer_may_do_what_its_page_needs_and_no_more(served: SiteServer) -> None:
    for path in ("/index.html", "/live", "/nothing", "/metrics", "/dbt"):
        policy = ask(served, path)[0].headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self';" in policy, path
        assert "frame-ancestors 'none'" in policy
    assert "script-src" not in ask(served, "/dbt/")[0].headers["Content-Security-Policy"]


def test_a_foreign_name_that_leads_to_loopback_gets_nothing(served: SiteServer) -> None:
    for path in ("/index.html", "/events", "/metrics", "/"):
        answer, body = ask(served, path, Host="evil.example:80")
        assert answer.status == 403, path
        assert "Health" not in body
    for name in ("localhost:8080", "127.0.0.1", "[::1]:1", "LOCALHOST"):
        assert ask(served, "/index.html", Host=name)[0].status == 200


def test_too_many_open_pages_are_refused_and_files_are_not(
    served: SiteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_STREAMS", 1)
    stream = events(served)
    next(stream)
    assert ask(served, "/events")[0].status == 503
    assert ask(served, "/index.html")[0].status == 200


def test_a_warehouse_that_is_down_is_a_metric(served: SiteServer) -> None:
    answer, body = ask(served, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "\necluse_warehouse_up 0\n" in body
    assert "\necluse_run_in_progress 0\n" in body


def test_a_taken_port_is_a_sentence_that_names_the_way_out(served: SiteServer, root: Path) -> None:
    port = served.server_address[1]
    with pytest.raises(ConfigurationError, match=rf"Port {port} .*/ecluse serve --port N"):
        open_server(settings_of(root), "127.0.0.1", port, "serve")


def test_beyond_this_machine_there_is_a_word_about_the_login(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: SiteServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SiteServer, "serve_forever", stop)
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):  # noqa: S104 - to see the word
        module.serve(open_server(settings_of(root), host, 0, "serve"))
        said = capsys.readouterr()
        assert ("There is no login" in said.err) == warned
        assert f"site: http://{host}:" in said.out
    if socket.has_ipv6:
        with open_server(settings_of(root), "::1", 0, "serve") as server:
            assert server.local


def test_without_a_port_watching_is_a_note_and_the_run_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(98, os.strerror(98))

    monkeypatch.setattr(module, "SiteServer", refuse)
    with watching(settings_of(root)) as sentence:
        assert sentence == "watch    not possible: no port can be had (Address already in use)"


def test_a_watched_run_ends_with_its_own_error(root: Path) -> None:
    with pytest.raises(ZeroDivisionError), watching(settings_of(root)) as sentence:
        port = int(sentence.rpartition(":")[2].partition("/")[0])
        raise ZeroDivisionError
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
