"""Each fault does what its name says, where and as often as it was asked for."""

import json
import time

import pytest
import requests

from ingestion.demo_api.bad_rows import NUMBERS, columns
from ingestion.demo_api.broken import KINDS
from ingestion.demo_api.faults import FaultError, Faults, parse
from ingestion.demo_api.shop import ENDPOINTS


@pytest.mark.parametrize("code", [401, 404, 429, 500, 503])
def test_a_status_is_answered_once_and_then_all_is_well(fetch, fault, code):
    fault(f"{code}@orders")
    assert [fetch("orders").status_code for _ in range(2)] == [code, 200]


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_in_seconds_as_asked(fetch, fault, code):
    fault(f"{code}@orders?retry_after=7")
    assert fetch("orders").headers["Retry-After"] == "7"


def test_a_fault_waits_for_its_endpoint_and_page_and_counts_its_times(fetch, fault):
    fault("500@orders?page=2&times=2")
    assert [fetch(path).status_code for path in ("items?page=2", "orders?page=1")] == [200, 200]
    assert [fetch("orders?page=2").status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_without_an_endpoint_takes_the_next_answer_of_any(fetch, fault):
    fault("500")
    assert [fetch(path).status_code for path in ("supplies", "stores")] == [500, 200]


def test_a_fault_for_ever_ends_when_it_is_deleted(fetch, fault, base_url):
    fault("500@stores?times=-1")
    assert {fetch("stores").status_code for _ in range(4)} == {500}
    desk = base_url.removesuffix("/api/v1") + "/faults"
    assert requests.get(desk, timeout=10).json()[0]["served"] == 4
    assert requests.delete(desk, timeout=10).json() == {"removed": 1}
    assert fetch("stores").status_code == 200


def test_a_dropped_connection_gives_no_answer_at_all(fetch, fault):
    fault("drop@orders")
    with pytest.raises(requests.ConnectionError, match="without response"):
        fetch("orders")
    assert fetch("orders").status_code == 200


def test_a_connection_dropped_in_mid_body_gives_half_of_it(fetch, fault):
    fault("drop_mid_body@orders")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        fetch("orders")
    assert fetch("orders").status_code == 200


def test_a_slow_body_is_whole_and_late(fetch, fault):
    whole = fetch("stores")
    fault("slow@stores?delay=0.3")
    begun = time.monotonic()
    slow = fetch("stores")
    assert time.monotonic() - begun >= 0.3
    assert slow.content == whole.content


def test_truncated_json_is_a_complete_answer_that_cannot_be_read(fetch, fault):
    whole = fetch("orders").content
    fault("truncated@orders")
    cut = fetch("orders")
    assert cut.status_code == 200
    assert whole.startswith(cut.content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.content)


def test_html_comes_with_status_200(fetch, fault):
    fault("html@orders")
    answer = fetch("orders")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "sign in" in answer.text


def test_a_repeated_page_links_on_as_if_nothing_had_happened(fetch, fault):
    first, second = (fetch(f"orders?page={page}") for page in (1, 2))
    fault("repeat_page@orders?page=2")
    repeated = fetch("orders?page=2")
    assert repeated.content == first.content != second.content
    assert repeated.headers["Link"] == second.headers["Link"]


def test_an_empty_endpoint_has_no_rows_and_no_next_page(fetch, fault):
    fault("empty@orders")
    answer = fetch("orders")
    assert answer.content == b"[]"
    assert "Link" not in answer.headers


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_broken_rows_differ_in_one_column_of_one_row(fetch, fault, endpoint):
    sound = fetch(f"{endpoint}?page_size=5").json()
    key = "sku" if endpoint == "products" else "id"
    for spec, expected in (
        ("missing_key", "gone"),
        ("null_key", None),
        ("wrong_type", "not a number" if endpoint in NUMBERS else {"unexpected": "object"}),
    ):
        fault(f"{spec}@{endpoint}?row=1")
        broken = fetch(f"{endpoint}?page_size=5").json()
        column = columns(endpoint)[0] if spec == "wrong_type" else key
        assert broken[1].pop(column, "gone") == expected
        sound_row = {name: value for name, value in sound[1].items() if name != column}
        assert broken == [sound[0], sound_row, *sound[2:]]


@pytest.mark.parametrize("endpoint", sorted(NUMBERS.keys() & set(ENDPOINTS)))
def test_a_number_out_of_range_is_negative(fetch, fault, endpoint):
    names = NUMBERS[endpoint]
    for column in names:
        fault(f"out_of_range@{endpoint}?column={column}")
        assert fetch(endpoint).json()[0][column] == "-1"
    assert fetch(endpoint).json()[0][names[0]] != "-1"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_unknown_column_is_in_every_row(fetch, fault, endpoint):
    fault(f"unknown_column@{endpoint}")
    assert all(row["loyalty_points"] == "7" for row in fetch(endpoint).json())
    assert all("loyalty_points" not in row for row in fetch(endpoint).json())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_changed_type_is_in_every_row(fetch, fault, endpoint):
    fault(f"type_changed@{endpoint}")
    column = columns(endpoint)[0]
    sound = [row[column] for row in fetch(f"{endpoint}?page=2&page_size=3").json()]
    assert all(set(value) == {"value"} for value in sound)


def test_a_broken_page_still_links_to_the_next(fetch, fault):
    fault("null_key@orders")
    assert "Link" in fetch("orders").headers


def test_the_desk_says_what_was_set_and_how_often_it_was_served(fetch, fault):
    answer = fault("429@orders?page=3&times=2&retry_after=1")
    assert answer.status_code == 201
    assert answer.json() == {
        "spec": "429@orders?page=3&times=2&retry_after=1",
        "name": "429",
        "endpoint": "orders",
        "page": 3,
        "left": 2,
        "served": 0,
    }


def test_the_desk_refuses_what_it_cannot_read(fault):
    answer = fault("tornado@orders")
    assert answer.status_code == 422
    assert "use one of: 401, 404" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("tornado", "There is no fault 'tornado'; use one of: 401,"),
        ("", "There is no fault ''"),
        ("500@tweets", "no endpoint 'tweets'; use one of: customers, orders"),
        ("500@", "no endpoint ''"),
        ("500@orders?delay=3", "500 has no option 'delay'; use one of: page, times"),
        ("slow?delay=long", "delay must be a number"),
        ("slow?delay=nan", "delay must be 0 or more"),
        ("500?page=0", "page must be 1 or more"),
        ("500?times=-2", "times must be -1 or more"),
        ("null_key?column=id", "a column needs an endpoint"),
        ("null_key@items?column=price", "items has no column 'price'; use one of: sku, id"),
        ("out_of_range@customers", "name an endpoint that has some; use one of: orders"),
        ("out_of_range", "name an endpoint that has some; use one of: orders"),
        ("out_of_range@stores?column=name", "only numbers can be out of range"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can(spec, complaint):
    with pytest.raises(FaultError, match=r"^(There is no fault|Fault )") as caught:
        parse(spec)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_can_be_set_by_its_name(name):
    fault = parse(f"{name}@orders?times=3")
    assert (fault.name, fault.endpoint, fault.page, fault.left) == (name, "orders", None, 3)


def test_of_two_faults_that_fit_the_first_is_used_first():
    faults = Faults()
    faults.add("500@orders")
    faults.add("404")
    taken = [faults.take("orders", 1) for _ in range(3)]
    assert [fault and fault.name for fault in taken] == ["500", "404", None]
