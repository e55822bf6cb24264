"""What passes is tried again and got over; what stays is a sentence; what is final is not asked
again.
"""

import time
from collections.abc import Iterator

import pytest
import requests

from ingestion.demo_api.serve import running
from ingestion.errors import SourceFailed, WrongSetting
from ingestion.pages import Page, PageClient
from tests.ingestion.peer import Peer

PASSING = {
    "500@orders?page=2": "HTTP 500",
    "503@orders?page=2&retry_after=0": "HTTP 503",
    "429@orders?page=2&retry_after=0": "HTTP 429",
    "drop@orders?page=2": "ConnectionError",
    "drop_mid_body@orders?page=2": "ChunkedEncodingError",
    "truncated@orders?page=2": "its JSON is broken",
    "html@orders?page=2": "a web page (text/html), not JSON",
    "repeat_page@orders?page=2": "it sent the same page twice",
}
FOR_GOOD = {
    "500@orders?page=2&times=-1": "the API answered 500: it failed on every try",
    "429@orders?page=2&times=-1&retry_after=0": "the API answered 429: it still asks us to slow",
    "drop@orders?page=2&times=-1": "the API cannot be reached, or it hung up: check the base URL",
    "drop_mid_body@orders?page=2&times=-1": "the API cannot be reached, or it hung up",
    "truncated@orders?page=2&times=-1": "the API misbehaved: its JSON is broken or no list",
    "html@orders?page=2&times=-1": "not JSON: check the base URL",
    "repeat_page@orders?page=2&times=-1": "the same page twice",
}
FINAL = {
    401: "the API answered 401: it wants credentials, or refuses ours",
    403: "the API answered 403: our credentials do not allow this",
    404: "the API answered 404: there is nothing at this address: check the base URL",
    400: "the API answered 400: it will not take this request",
}


class Notes:
    """An observer that writes down the faults."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def page(self, page: Page) -> None:
        pass

    def retry(self, fault: str) -> None:
        self.faults.append(fault)

    def enough(self, page: Page) -> bool:
        return False


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with running(orders=10_000, days=20) as url:
        yield url


@pytest.fixture
def fault(shop: str) -> Iterator[str]:
    desk = shop.removesuffix("/api/v1") + "/faults"

    def add(spec: str) -> None:
        requests.post(desk, json={"spec": spec}, timeout=5).raise_for_status()

    yield add
    requests.delete(desk, timeout=5)


def rows(url: str, notes: Notes | None = None) -> list[bytes]:
    pages = PageClient(url, notes).pages("orders", "orders", {"page_size": 20})
    return [bytes(row) for page in pages for row in page.rows]


@pytest.mark.parametrize(("spec", "said"), PASSING.items())
def test_a_fault_that_passes_is_got_over_and_recorded(shop, fault, spec, said):
    undisturbed = rows(shop)
    notes = Notes()
    fault(spec)
    fault(spec)
    assert rows(shop, notes) == undisturbed
    assert len(undisturbed) > 40, "the fault must strike in mid-paging"
    assert len(notes.faults) == 2
    assert all(each.startswith("orders, page ") and said in each for each in notes.faults)


@pytest.mark.parametrize(("spec", "said"), FOR_GOOD.items())
def test_a_fault_for_good_is_a_sentence_after_the_last_try(shop, fault, spec, said):
    fault(spec)
    notes = Notes()
    with pytest.raises(SourceFailed) as failed:
        rows(shop, notes)
    page = "after " if "mid_body" in spec else ""
    page += f"{shop}/orders?page_size=20" + ("" if page else "&page=2")
    assert str(failed.value).startswith(f"orders, page 2 ({page}): ")
    assert said in str(failed.value)
    assert str(failed.value).endswith(". Nothing of it was loaded.")
    assert len(notes.faults) == 3, "as often as RUNTIME__REQUEST_MAX_ATTEMPTS says"


@pytest.mark.parametrize(("status", "said"), FINAL.items())
def test_a_final_answer_is_not_asked_for_again(peer: Peer, status, said):
    peer.answers["orders"] = lambda query: (status, {}, b"no")
    notes = Notes()
    with pytest.raises(SourceFailed, match=said):
        rows(peer.url, notes)
    assert len(peer.asked) == 1
    assert notes.faults == []


def test_retry_after_is_waited_for(peer: Peer):
    refused = iter([True])
    good = peer.answer("orders", {})

    def answer(query):
        return (429, {"Retry-After": "1"}, b"") if next(refused, False) else good

    peer.answers["orders"] = answer
    notes, began = Notes(), time.monotonic()
    assert len(rows(peer.url, notes)) == 3
    assert time.monotonic() - began >= 1
    assert notes.faults == ["orders, page 1: HTTP 429"]


def test_an_object_instead_of_a_list_is_named(peer: Peer):
    peer.answers["orders"] = lambda query: (200, {}, b'{"orders": []}')
    with pytest.raises(SourceFailed, match="its JSON is broken or no list"):
        rows(peer.url)


def test_bytes_that_are_no_utf8_are_named(peer: Peer):
    peer.answers["orders"] = lambda query: (200, {}, b'[{"id": "Zo\xeb"}]')
    with pytest.raises(SourceFailed, match=r"its JSON is broken or no list.*utf-8"):
        rows(peer.url)


def test_a_server_that_does_not_answer_in_time_is_named(peer: Peer, monkeypatch):
    monkeypatch.setenv("RUNTIME__REQUEST_TIMEOUT", "0.1")
    peer.answers["orders"] = lambda query: time.sleep(0.3) or (200, {}, b"[]")
    with pytest.raises(SourceFailed, match=r"did not answer in time: .*RUNTIME__REQUEST_TIMEOUT"):
        rows(peer.url)


def test_a_host_that_does_not_exist_is_named():
    with pytest.raises(SourceFailed) as failed:
        rows("http://127.0.0.1:1/api/v1")
    assert str(failed.value) == (
        "orders, page 1 (http://127.0.0.1:1/api/v1/orders?page_size=20): the API cannot be "
        "reached, or it hung up: check the base URL and the network. Nothing of it was loaded."
    )


@pytest.mark.parametrize("base_url", ["shop.example/api", "", "htp://shop.example", "http://"])
def test_a_base_url_that_is_none_is_a_wrong_setting(base_url):
    with pytest.raises(WrongSetting, match="check the base URL"):
        rows(base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://ada:s3cret@127.0.0.1:1/api/v1",
        "http://127.0.0.1:1/api/v1?token=s3cret",
        "http://127.0.0.1:1/api/v1?x=1&api_key=s3cret&y=2",
        "htp://ada:s3cret@shop.example/api",
        "ada:s3cret@shop.example/api",
        "http://ada:s3cret@/api",
        "http://ada:s3cret@shop.example:port/api",
    ],
)
def test_no_secret_of_a_url_is_in_the_sentence(base_url):
    with pytest.raises(SourceFailed) as failed:
        rows(base_url)
    assert "s3cret" not in str(failed.value)
    assert "check the base URL" in str(failed.value)
