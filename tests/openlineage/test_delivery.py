"""The consumer gets what the file has; when it is dead, nobody waits for it."""

import time
from pathlib import Path

import pytest

from orchestration.openlineage.delivery import PATIENCE, Delivery, open_runs, read_events
from tests.openlineage.consumer import consumer

NOWHERE = "http://user:geheim@127.0.0.1:9"  # nobody listens on the port to discard


def event(run: str, type_: str = "START") -> dict:
    return {"eventType": type_, "run": {"runId": run}, "job": {"name": run}}


def deliver(path: Path, url: str | None, key: str | None = None) -> tuple[str, float]:
    """Three events; why they did not arrive, and how long a run would have waited in all."""
    delivery, began = Delivery(url, key), time.monotonic()
    for run in "abc":
        delivery.put(event(run), path)
    return delivery.close(), time.monotonic() - began


def test_a_consumer_gets_the_events_of_the_file_in_their_order(tmp_path: Path) -> None:
    with consumer() as there:
        refused, _ = deliver(tmp_path / "e", there.url, "geheim")
    assert refused == ""
    assert there.events == read_events(tmp_path / "e") == [event(run) for run in "abc"]
    assert (there.paths, there.logins) == ({"/api/v1/lineage"}, {"Bearer geheim"})


def test_a_path_before_the_endpoint_is_kept_and_no_key_is_no_login(tmp_path: Path) -> None:
    with consumer() as there:
        deliver(tmp_path / "e", f"{there.url}/openapi/openlineage")
    assert (there.paths, there.logins) == ({"/openapi/openlineage/api/v1/lineage"}, {None})


def test_a_consumer_that_says_no_is_left_alone_after_the_first_time(tmp_path: Path) -> None:
    with consumer(status=401) as there:
        refused, _ = deliver(tmp_path / "e", there.url)
    assert refused == "it answers HTTP 401"
    assert len(there.events) == 1
    assert len(read_events(tmp_path / "e")) == 3


def test_nobody_there_is_told_without_the_address(tmp_path: Path) -> None:
    refused, waited = deliver(tmp_path / "e", NOWHERE)
    assert refused == "ConnectionError"
    assert waited < PATIENCE
    assert len(read_events(tmp_path / "e")) == 3


@pytest.mark.slow
def test_a_consumer_that_hangs_costs_less_than_two_seconds_in_all(tmp_path: Path) -> None:
    with consumer(silent=True) as there:
        refused, waited = deliver(tmp_path / "e", there.url)
    assert refused in {"it takes too long", "ReadTimeout"}
    assert waited < 2
    assert len(read_events(tmp_path / "e")) == 3


def test_a_half_line_of_a_killed_run_is_passed_over(tmp_path: Path) -> None:
    delivery = Delivery(None, None)
    delivery.put(event("a"), tmp_path / "e")
    with (tmp_path / "e").open("a") as lines:
        lines.write('{"eventType": "STA')
    delivery.put(event("b"), tmp_path / "e")
    assert read_events(tmp_path / "e") == [event("a"), event("b")]
    assert read_events(tmp_path / "none") == []


@pytest.mark.parametrize("end", ["COMPLETE", "FAIL", "ABORT"])
def test_what_has_begun_and_not_ended_is_open_the_latest_first(end: str) -> None:
    events = [event("a"), event("b"), event("c"), event("b", end)]
    assert [each["run"]["runId"] for each in open_runs(events)] == ["c", "a"]
