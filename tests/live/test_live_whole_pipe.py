"""A real run with everything switched on: watched from outside, measured and traced."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from orchestration.errors import DataRejected
from orchestration.live.metrics import scrape
from orchestration.live.progress import FILE
from orchestration.live.server import watching
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.live.exposition import read
from tests.live.sink import Sink, sink
from tests.newcomer import copy_project, ecluse
from tests.orchestration.small import SmallPipe, load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def collector() -> Iterator[Sink]:
    """Somebody who collects spans."""
    with sink() as found:
        yield found


@pytest.fixture(scope="module")
def pipe(server: Warehouse, tmp_path_factory: pytest.TempPathFactory, collector: Sink) -> SmallPipe:
    """The small project with a file of metrics and an endpoint."""
    root = tmp_path_factory.mktemp("live")
    found = SmallPipe(root / "p", make_database(server))
    found.variables = {"ECLUSE_METRICS_FILE": str(root / "metrics.prom"),
                       "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}  # fmt: skip
    return found


def _read_stream(port: int, into: list[str]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/events")
    into += connection.getresponse().read().decode().split("\n\n")


def test_a_run_is_seen_while_it_goes_and_told_when_it_ends(
    pipe: SmallPipe, collector: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.live.feed.PAUSE", 0.02)
    monkeypatch.setattr("orchestration.live.server.LINGER", 0.1)
    seen: list[str] = []
    pipe.run_id = "good"
    with watching(pipe.settings) as sentence:
        port = int(sentence.rpartition(":")[2].partition("/")[0])
        reader = Thread(target=_read_stream, args=(port, seen))
        reader.start()
        pipe.run("collect")
    reader.join(10)
    shown = [json.loads(text[6:]) for text in seen if text.startswith("data: ")]
    assert any("Running: build" in found["html"] for found in shown)
    assert any("1 node done" in found["html"] for found in shown)
    assert shown[-1]["news"] == "run good: Published"
    assert "event: leave\ndata: runs/good.html" in seen
    assert (pipe.root / "site" / "runs" / "good.html").exists()
    assert not (pipe.root / "runs" / "good" / FILE).exists(), "the record says it all"
    assert "not be" not in " ".join(_notes(pipe, "good"))

    path = Path(pipe.variables["ECLUSE_METRICS_FILE"])
    found = read(path.read_text())
    assert found["ecluse_last_run_exit_code", (("kind", "run"),)] == 0
    assert found["ecluse_mart_rows", (("mart", "orders"),)] == 2
    scraped = read(scrape(pipe.settings, going=True))
    assert scraped["ecluse_warehouse_up", ()] == 1
    assert scraped["ecluse_run_in_progress", ()] == 1
    assert found.items() <= scraped.items()

    names = [span["name"] for span in _sent(collector)]
    assert {"ecluse run", "build", "publish", "orders", "unique_orders_id"} <= set(names)


def test_a_rejected_run_is_told_as_such_and_dead_listeners_are_notes(
    pipe: SmallPipe, collector: Sink
) -> None:
    load(pipe.warehouse, 5, -1)
    pipe.run_id = "bad"
    with pytest.raises(DataRejected):
        pipe.run("collect")
    root = next(span for span in _sent(collector) if "parentSpanId" not in span)
    assert root["status"]["code"] == 2
    assert "no_negative_amount" in root["status"]["message"]
    found = read(Path(pipe.variables["ECLUSE_METRICS_FILE"]).read_text())
    assert found["ecluse_last_run_exit_code", (("kind", "run"),)] == 3

    collector.answers = (503, "")
    variables = {**pipe.variables, "ECLUSE_METRICS_FILE": str(pipe.root / "gone" / "m.prom")}
    pipe.variables, pipe.run_id = variables, "deaf"
    pipe.perform(lambda run: ())
    notes = " ".join(_notes(pipe, "deaf"))
    assert "could not be sent to 127.0.0.1: HTTP 503" in notes
    assert "m.prom: FileNotFoundError" in notes


def test_watching_changes_no_exit_code(tmp_path: Path) -> None:
    clone = copy_project(tmp_path / "clone")
    nowhere = "postgresql://u:p@127.0.0.1:9/nothing"
    plain = ecluse(clone, "run", ECLUSE_WAREHOUSE_URL=nowhere)
    done = ecluse(clone, "run", "--watch", "--json", ECLUSE_WAREHOUSE_URL=nowhere)
    assert done.stderr.startswith("watch    http://127.0.0.1:")
    assert plain.returncode == done.returncode == json.loads(done.stdout)["exit_code"] != 0


def _notes(pipe: SmallPipe, run_id: str) -> list[str]:
    return json.loads((pipe.root / "runs" / run_id / "run.json").read_text())["notes"]


def _sent(collector: Sink) -> list[dict]:
    return collector.got[-1][2]["resourceSpans"][0]["scopeSpans"][0]["spans"]
