"""A run as OTLP spans, and sending them to somebody who answers well, badly, or not at all."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.load import LoadRecord
from orchestration.artifacts import NodeResult
from orchestration.errors import ConfigurationError
from orchestration.live import spans
from orchestration.live.progress import Progress, Resource
from orchestration.records import RunRecord, StepRecord
from tests.live.recorded import as_row, settings_of
from tests.live.sink import sink

BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECRET = "s3cr3t"


def _at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def _run() -> dict[str, Any]:
    """A run whose model broke."""
    load = LoadRecord("shop", "raw_shop", _at(0), _at(2), load_ids=["17.1"],
                      received={"orders": 9}, loaded={"orders": 8}, pages={"orders": 3},
                      rejected={"orders": 1})  # fmt: skip
    model = "model.e.orders"
    broke = (
        "duplicate key\nDETAIL: Key (name)=(Smith) already exists. Failing row contains (Smith)."
    )
    nodes = [
        NodeResult(model, "orders", "model", "error", broke, None, None, 1.0,
                   _at(3).isoformat(), _at(4).isoformat()),
        NodeResult("test.e.t", "t", "test", "skipped", None, None, None, 0.0, None, None),
    ]  # fmt: skip
    steps = [StepRecord("ingest", "done", "9 new rows", _at(0), _at(2)),
             StepRecord("build", "failed", "model orders broke", _at(2), _at(5), ["deadlock"]),
             StepRecord("publish", "skipped")]  # fmt: skip
    return as_row(RunRecord(
        "20260102T030405Z-abcd", "run", "broken", 1, "model orders broke", _at(0), _at(6), "c0ffee",
        steps=steps, loads=[load], nodes=nodes,
    ))  # fmt: skip


def _spans(tmp_path: Path) -> dict[str, dict[str, Any]]:
    progress = Progress({"orders": Resource("orders", _at(0.5), _at(1.5), 9, 3)})
    request = spans.trace(_run(), tmp_path, progress, "ecluse")
    [of_resource] = request["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "ecluse"}} in (
        of_resource["resource"]["attributes"]
    )
    found = of_resource["scopeSpans"][0]["spans"]
    return {span["name"]: span for span in found}


def _about(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}


def test_every_span_hangs_on_one_run_and_has_its_own_number(tmp_path: Path) -> None:
    found = _spans(tmp_path)
    names = {span["spanId"]: name for name, span in found.items()}
    assert len(names) == len(found)
    parents = {name: names.get(span.get("parentSpanId")) for name, span in found.items()}
    assert parents == {
        "ecluse run": None, "ingest": "ecluse run", "build": "ecluse run", "dlt shop": "ingest",
        "shop.orders": "dlt shop", "orders": "build",
    }  # fmt: skip
    assert len({span["traceId"] for span in found.values()}) == 1
    for span in found.values():
        assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"])
        assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"])
    assert _spans(tmp_path) == found, "the numbers come from the run's id"


def test_times_are_exact_and_what_never_ran_is_no_span(tmp_path: Path) -> None:
    found = _spans(tmp_path)
    assert found["ecluse run"]["startTimeUnixNano"] == "1767323045678901000"
    assert found["shop.orders"]["endTimeUnixNano"] == "1767323047178901000"
    assert "publish" not in found
    assert "t" not in found


def test_what_failed_says_so_and_quotes_no_row(tmp_path: Path) -> None:
    found = _spans(tmp_path)
    assert found["ecluse run"]["status"] == {"code": 2, "message": "model orders broke"}
    assert found["ingest"]["status"] == {"code": 1}
    assert found["orders"]["status"]["code"] == 2
    assert "duplicate key" in found["orders"]["status"]["message"]
    assert "Smith" not in json.dumps(found)
    assert _about(found["build"])["ecluse.retries"] == "1"
    assert _about(found["ecluse run"])["ecluse.exit_code"] == "1"
    assert _about(found["shop.orders"])["ecluse.rows_rejected"] == "1"
    assert _about(found["orders"])["dbt.unique_id"] == "model.e.orders"


def _send(to: str, **variables: str) -> str | None:
    settings = settings_of(Path("/"), OTEL_EXPORTER_OTLP_ENDPOINT=to, **variables)
    return spans.send(settings, {"resourceSpans": []})


def test_a_sink_gets_json_at_the_path_of_traces_with_the_headers_of_the_environment() -> None:
    with sink() as server:
        given = f"api-key={SECRET}%20x, tenant=shop"
        assert _send(server.url + "/", OTEL_EXPORTER_OTLP_HEADERS=given) is None
        [(path, headers, body)] = server.got
        assert path == "/v1/traces"
        assert headers["Content-Type"] == "application/json"
        assert {k.lower(): v for k, v in headers.items()}["api-key"] == f"{SECRET} x"
        assert body == {"resourceSpans": []}
        whole = server.url + "/as/it/is"
        assert _send("http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=whole) is None
        assert server.got[-1][0] == "/as/it/is"


@pytest.mark.parametrize(("answer", "said"), [
    ((503, "later"), "HTTP 503"),
    ((404, ""), "HTTP 404"),
    ((200, '{"partialSuccess": {"rejectedSpans": "4"}}'), "4 spans were refused"),
    ((200, "<html>"), "not OTLP over HTTP (JSONDecodeError)"),
    ((200, ""), None),
    ((200, '{"partialSuccess": {}}'), None),
])  # fmt: skip
def test_what_is_wrong_with_an_answer_is_said(answer: tuple[int, str], said: str | None) -> None:
    with sink() as server:
        server.answers = answer
        assert _send(server.url) == said


def test_a_secret_is_neither_sent_on_nor_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with sink() as first, sink() as other:
        first.answers, first.headers = (307, ""), {"Location": other.url}
        assert _send(first.url, OTEL_EXPORTER_OTLP_HEADERS=f"key={SECRET}") == "HTTP 307"
        assert other.got == []
        bad = _send(first.url, OTEL_EXPORTER_OTLP_HEADERS=f"key={SECRET}%0Ax: y")
        assert bad == "not OTLP over HTTP (ValueError)"
    settings = settings_of(
        Path("/"), OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user:{SECRET}@host/{SECRET}",
        OTEL_EXPORTER_OTLP_HEADERS=f"key={SECRET}",
    )  # fmt: skip
    assert SECRET not in repr(settings)
    assert spans.endpoint_host(settings) == "host"
    with pytest.raises(ConfigurationError, match="no web address") as error:
        settings_of(Path("/"), OTEL_EXPORTER_OTLP_ENDPOINT=SECRET)
    assert SECRET not in str(error.value)
    disabled = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": first.url}
    assert settings_of(Path("/"), **disabled).otlp_endpoint is None


def test_who_is_not_there_or_does_not_answer_costs_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "refused" in str(_send("http://127.0.0.1:9"))
    assert spans.PATIENCE == 2.0
    monkeypatch.setattr(spans, "PATIENCE", 0.2)
    with sink() as server:
        server.answers = None
        began = time.monotonic()
        assert re.search("timed out|no answer", str(_send(server.url)))
        assert time.monotonic() - began < 2
