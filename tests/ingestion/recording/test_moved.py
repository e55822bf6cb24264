"""What moved between two recordings of an API, in words."""

import json
from typing import Any

import pytest

from ingestion.recording.moved import moved


def _answer(body: Any, path: str = "/v1/orders", status: int = 200, **headers: str) -> tuple:
    return path, {
        "status": {"code": status},
        "headers": {name: [value] for name, value in headers.items()},
        "body": {"string": json.dumps(body).encode()},
    }


BEFORE = [_answer([{"id": 1, "at": "2026-01-01", "items": [{"sku": "a"}]}], Link="<x>")]


def _now(row: dict, **headers: str) -> list[str]:
    whole = {"id": 1, "at": "2026-01-01", "items": [{"sku": "a"}]} | row
    kept = {name: value for name, value in whole.items() if value != "GONE"}
    return moved(BEFORE, [_answer([kept], **(headers or {"Link": "<x>"}))])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": 2, "at": "1999-12-31"}, []),
        ({"tax": 1.5}, ["/v1/orders: $[].tax is new (a number)"]),
        ({"id": "1"}, ["/v1/orders: $[].id was a whole number, is a number in a text"]),
        ({"at": "soon"}, ["/v1/orders: $[].at was a time in a text, is a text"]),
        ({"at": None}, ["/v1/orders: $[].at was a time in a text, is null"]),
        ({"at": "GONE"}, ["/v1/orders: $[].at is gone (was a time in a text)"]),
        ({"items": "GONE"}, ["/v1/orders: $[].items is gone (was a list)"]),
        ({"items": [{}]}, ["/v1/orders: $[].items[].sku is gone (was a text)"]),
        ({"items": {"a": 1}}, ["/v1/orders: $[].items was a list, is an object"]),
    ],
)
def test_what_a_row_can_do(row: dict, said: list[str]) -> None:
    assert _now(row)[: len(said) or 1] == said


def test_a_header_that_led_on_and_a_status() -> None:
    assert _now({}, Etag="1") == ["/v1/orders: paging was link, is absent"]
    gone = moved(BEFORE, [_answer({"error": "no"}, status=404)])
    assert "/v1/orders: status was 200, is 404" in gone


def test_a_path_that_is_not_asked_any_more_and_a_new_one() -> None:
    assert moved(BEFORE, [_answer([], "/v2/orders")]) == [
        "/v1/orders: is not asked any more",
        "/v2/orders: is asked now",
    ]


def test_fewer_kinds_are_only_other_rows() -> None:
    before = [_answer([{"a": 1}, {"a": None}])]
    assert moved(before, [_answer([{"a": 2}])]) == []
    assert moved([_answer([{"a": 2}])], before) == [
        "/v1/orders: $[].a was a whole number, is a whole number or null"
    ]


def test_an_empty_list_says_nothing_of_its_rows() -> None:
    empty = [_answer([], Link="<x>")]
    assert moved(BEFORE, empty) == []


def test_what_is_no_json_is_said() -> None:
    page = ("/v1/orders", {"status": {"code": 200}, "headers": {}, "body": {"string": b"<html>"}})
    assert "/v1/orders: $ was a list, is no JSON" in moved(BEFORE, [page])
