"""What a recording must not hold, and what it must keep."""

import json

import pytest
from vcr.request import Request

from ingestion.recording.sanitise import GONE, Sanitiser, is_secret

PLAIN = Sanitiser([], {"people": {"email", "phone", "address"}, None: {"email"}})


def _answer(
    body: bytes, path: str = "/v1/people", sanitiser: Sanitiser = PLAIN, **headers: list[str]
) -> dict:
    response = {"headers": headers, "body": {"string": body}, "status": {"code": 200}}
    sanitiser.response(Request("GET", f"http://api{path}", None, {}), response)
    return response


def _body(body: str, path: str = "/v1/people", sanitiser: Sanitiser = PLAIN) -> str:
    text: bytes = _answer(body.encode(), path, sanitiser)["body"]["string"]
    return text.decode()


def test_personal_fields_are_masked_wherever_they_stand() -> None:
    found = json.loads(
        _body('[{"id": 1, "email": "ada@x.org", "home": {"phone": 4415551}, "note": null}]')
    )
    (row,) = found
    assert row["email"].startswith("masked-")
    assert row["home"]["phone"] not in {4415551, None}
    assert isinstance(row["home"]["phone"], int)
    assert (row["id"], row["note"]) == (1, None)


def test_equal_values_have_equal_masks_and_others_do_not() -> None:
    a, b, c = json.loads(_body('[{"email": "a"}, {"email": "b"}, {"email": "a"}]'))
    assert a == c != b


def test_all_inside_a_personal_object_or_list_is_masked() -> None:
    (row,) = json.loads(_body('[{"address": {"street": "Quay 1", "lines": ["x", ""]}}]'))
    assert "Quay" not in str(row)
    assert row["address"]["lines"][1] == ""  # that something is empty says nothing of anybody


def test_another_resource_keeps_its_field_of_that_name_unless_nobody_knows_the_path() -> None:
    sanitiser = Sanitiser([], {"people": {"name"}, "products": set(), None: {"name"}})
    assert json.loads(_body('[{"name": "jam"}]', "/products", sanitiser)) == [{"name": "jam"}]
    assert "jam" not in _body('[{"name": "jam"}]', "/products/7/owners", sanitiser)


@pytest.mark.parametrize(
    "number", ["0.1", "1.10", "12345678901234567890", "1e400", "-0", "0.30000000000000004"]
)
def test_numbers_are_kept_as_they_were_written(number: str) -> None:
    assert _body(f'[{{"n": {number}}}]') == f'[{{"n": {number}}}]'


def test_what_is_no_json_is_kept_without_secrets() -> None:
    known = Sanitiser(["s3cret-token"], {})
    assert _body("<b>s3cret-token</b> é", sanitiser=known) == f"<b>{GONE}</b> é"


def test_a_secret_is_found_wherever_it_stands() -> None:
    known = Sanitiser(["s3cret-token", "x"], {})
    said = _answer(
        b'{"next": "/people?key=s3cret-token&page=2", "x": "s3cret-token"}', sanitiser=known,
        Link=["</people?api_key=other&page=2>; rel=next"],
    )  # fmt: skip
    assert "s3cret" not in str(said)
    assert said["headers"]["Link"] == [f"</people?api_key={GONE}&page=2>; rel=next"]
    assert json.loads(said["body"]["string"])["next"].endswith("&page=2")


def test_a_token_that_a_server_hands_out_is_not_kept_but_one_that_pages_is() -> None:
    body = '{"access_token": "abc", "expires_in": 3600, "next_page_token": "def"}'
    found = json.loads(_body(body, "/oauth/token"))
    assert found == {"access_token": GONE, "expires_in": 3600, "next_page_token": "def"}


def test_headers_of_the_session_go_and_those_of_paging_stay() -> None:
    said = _answer(b"[]", **{"Set-Cookie": ["a=b"], "X-Api-Key": ["k"], "X-Next": ["c2"]})
    assert said["headers"] == {"X-Next": ["c2"]}


def test_a_request_loses_login_credentials_and_body() -> None:
    known = Sanitiser(["topsecret"], {})
    request = known.request(
        Request(
            "POST", "http://me:pw@api:8080/v1/people?api_key=k&page=2&q=topsecret", b"pw=1",
            {"Authorization": "Bearer t"},
        )
    )  # fmt: skip
    assert request.uri == "http://api:8080/v1/people?api_key=***&page=2&q=***"
    assert not request.headers
    assert not request.body


@pytest.mark.parametrize(
    ("name", "secret"),
    [("api_key", True), ("X-Api-Key", True), ("access_token", True), ("page_token", False),
     ("next_token", False), ("primary_key", False), ("sig", True), ("page", False)],
)  # fmt: skip
def test_which_names_hold_credentials(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
