"""The live page in a real browser, and the site under the rules that the server sends."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from orchestration.live.server import SiteServer, open_server
from orchestration.site.facts import Facts
from tests.live.recorded import ended, node, record, settings_of, step, tell, write_site
from tests.site.browser import CHROMIUM, Tab, browser
from tests.site.generated import generated_graph

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium"),
]
RUN = "20260102T000000Z-0002"
PAGE = "<link rel=icon href=data:,><title>the page of the run</title>"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab that reaches this machine."""
    with browser(tmp_path_factory.mktemp("profile"), reaches="127.0.0.1") as found:
        found.size(1280)
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a site and a run at work."""
    write_site(tmp_path, Facts(now=datetime.now(UTC), graph=generated_graph(12, 60)))
    ended(tmp_path, "20260101T000000Z-0001")
    record(tmp_path, RUN, step("ingest"), step("build", "running"), step("publish", "waiting"))
    return tmp_path


def serving(root: Path, port: int = 0) -> SiteServer:
    """A server at work."""
    server = open_server(settings_of(root), "127.0.0.1", port, "serve")
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def stop(server: SiteServer) -> None:
    """As a killed server: no word of leaving."""
    server.shutdown()
    server.server_close()


def wait_for(tab: Tab, script: str, good: Callable[[object], bool]) -> None:
    """Until the page has come so far."""
    deadline = time.monotonic() + 10
    while not good(tab.run(script)):
        assert time.monotonic() < deadline, (script, tab.run(script))
        time.sleep(0.05)


def test_the_page_grows_with_the_run_and_ends_with_a_link(tab: Tab, root: Path) -> None:
    server = serving(root)
    tab.open(server.url)
    assert tab.run("location.pathname") == "/live"
    head = "document.querySelector('h1').innerText"
    assert tab.run(head) == "Running: build"
    tell(root, RUN, node("model.e.orders"))
    names = "[...document.querySelectorAll('.timeline tbody th')].map((e) => e.innerText)"
    wait_for(tab, names, lambda found: "orders" in found)
    wait_for(tab, "document.getElementById('news').textContent", lambda said: RUN in said)
    assert tab.run("document.title") == "Running: build · Écluse"
    ended(root, RUN, reason="<img src=x onerror='window.hacked = 1'>")
    (root / "site" / "runs" / f"{RUN}.html").write_text(PAGE)
    wait_for(tab, head, lambda said: said == "Published")
    tab.run("document.querySelector('#part a').click()")
    wait_for(tab, "document.title", lambda said: said == "the page of the run")
    assert tab.run("window.hacked") is None
    assert tab.complaints == []
    stop(server)


def test_a_lost_connection_is_said_and_found_again(tab: Tab, root: Path) -> None:
    server = serving(root)
    port = server.server_address[1]
    tab.open(server.url + "live")
    wait_for(tab, "document.getElementById('news').textContent", bool)
    server.feed.stream = lambda: iter(())  # type: ignore[method-assign] - the stream breaks
    server.feed.leaving.set()
    stop(server)
    hidden = "document.getElementById('lost').hidden"
    tab.run("connect()")
    wait_for(tab, hidden, lambda found: found is False)
    server = serving(root, port)
    wait_for(tab, hidden, lambda found: found is True)
    stop(server)


def test_a_server_that_leaves_sends_the_reader_to_the_page_of_the_run(tab: Tab, root: Path) -> None:
    server = serving(root)
    tab.open(server.url + "live")
    wait_for(tab, "document.getElementById('news').textContent", bool)
    (root / "site" / "runs" / f"{RUN}.html").write_text(PAGE)
    ended(root, RUN)
    server.feed.leaving.set()
    wait_for(tab, "document.title", lambda said: said == "the page of the run")
    stop(server)


def test_the_site_and_dbts_docs_work_under_the_rules_of_the_server(tab: Tab, root: Path) -> None:
    server = serving(root)
    for page in ("index.html", "runs/index.html", "tables/index.html", "lineage.html", "live"):
        tab.open(server.url + page)
        assert tab.complaints == [], page
        assert all(url.startswith((server.url, "data:")) for url in tab.requests)
    tab.open(server.url + "lineage.html")
    assert tab.run("document.querySelectorAll('#world .node').length") > 0
    tab.open(server.url + "dbt/index.html")
    assert tab.run("document.title") == "2", "dbt's own page is inline code"
    stop(server)
