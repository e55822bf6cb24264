"""An API is seen for what it is, whatever its habits: proven against a server that has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe.api import look_at_api
from ingestion.probe.asking import Asker
from ingestion.probe.found import Resource, Since, Wish
from ingestion.probe.login import make_auth, parse_auth
from tests.ingestion.probe.habits import TABLES, Habits


@pytest.fixture(scope="module")
def served() -> Iterator[Habits]:
    with Habits() as habits:
        yield habits


@pytest.fixture
def habits(served: Habits) -> Iterator[Habits]:
    served.files, served.header, served.busy, served.asked = {}, None, 0, []
    yield served
    served.tables = dict(TABLES)


def look(url: str, *resources: str, auth: Any = None, **more: Any) -> dict[str, Resource]:
    found = look_at_api(Wish(url, resources, **more), auth, lambda said: None)
    return {each.contract.table: each for each in found.resources}


@pytest.mark.parametrize(
    ("habit", "paginator", "params", "rows"),
    [
        ("github", {"type": "header_link"}, {"per_page": 100}, "$"),
        ("stripe", {"type": "cursor", "cursor_path": "data[-1].id",
                    "cursor_param": "starting_after", "has_more_path": "has_more"},
         {"limit": 100}, "data"),
        ("django", {"type": "json_link", "next_url_path": "next"}, {}, "results"),
        ("odata", {"type": "offset", "limit": 500, "offset_param": "$skip", "limit_param": "$top",
                   "total_path": None}, {}, "value"),
        ("tokens", {"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "cursor"},
         {"limit": 500}, "items"),
        ("numbers", {"type": "page_number", "base_page": 0, "page_param": "page",
                     "total_path": "totalPages"}, {"size": 500}, "content"),
        ("plain", {"type": "single_page"}, {}, "$"),
    ],
)  # fmt: skip
def test_how_a_list_goes_on(
    habits: Habits, habit: str, paginator: dict[str, Any], params: dict[str, Any], rows: str
) -> None:
    tickets = look(f"{habits.url}/{habit}/tickets")["tickets"]
    assert (tickets.paginator, tickets.params, tickets.rows) == (paginator, params, rows)
    assert tickets.sampled == len(TABLES["tickets"])
    assert tickets.contract.key == ("id",)


def test_an_index_leads_to_every_list_and_short_ones_are_read_like_the_others(
    habits: Habits,
) -> None:
    found = look(f"{habits.url}/django")
    assert set(found) == set(TABLES)
    assert found["agents"].paginator == found["tickets"].paginator
    assert any("too few rows" in doubt for doubt in found["agents"].doubts)


def test_a_parameter_counts_only_when_it_really_filters(habits: Habits) -> None:
    assert look(f"{habits.url}/github/tickets")["tickets"].since == Since(
        "updated_at", "since", "timestamp"
    )
    assert look(f"{habits.url}/tokens/tickets")["tickets"].since == Since(
        "updated_at", "modified_since", "timestamp"
    )
    assert look(f"{habits.url}/odata/tickets")["tickets"].since is None


def test_more_rows_than_are_given_are_told(habits: Habits) -> None:
    readings = look(f"{habits.url}/stripe/readings")["readings"]
    assert any("it says there is more than 10 rows" in doubt for doubt in readings.doubts)


def test_a_description_names_the_lists_and_what_they_take(habits: Habits, tmp_path: Path) -> None:
    item = {"type": "object", "required": ["id", "status", "note"],
            "properties": {"id": {"type": "integer"}, "priority": {"type": "number"}}}  # fmt: skip
    described = {
        "openapi": "3.1.0",
        "servers": [{"url": "/tokens"}],
        "paths": {
            "/tickets": {"get": {
                "parameters": [{"name": "limit", "in": "query"}, {"name": "cursor", "in": "query"}],
                "responses": {"200": {"content": {"application/json": {"schema": {
                    "type": "object", "properties": {"items": {
                        "type": "array", "items": {"$ref": "#/components/schemas/Ticket"}}}}}}}},
            }},
            "/tickets/{id}": {"get": {}},
            "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        },
        "components": {"schemas": {"Ticket": item}},
    }  # fmt: skip
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(described))
    found = look(f"{habits.url}/tokens", openapi=str(path))
    assert set(found) == {"tickets"}
    columns = {each.name: each for each in found["tickets"].contract.columns}
    assert columns["priority"].type == "decimal"  # a number, though whole so far
    assert not columns["status"].nullable
    assert columns["note"].nullable  # null was seen, whatever is said
    assert found["tickets"].since is None  # no such parameter is named
    assert not any("page=" in each for each in habits.asked)


def test_a_description_is_looked_for_near_the_url(habits: Habits) -> None:
    habits.files["/openapi.json"] = {
        "swagger": "2.0", "basePath": "/odata", "paths": {"/agents": {"get": {"responses": {
            "200": {"schema": {"type": "array", "items": {}}}}}}},
    }  # fmt: skip
    agents = look(f"{habits.url}/")["agents"]
    assert agents.path == "odata/agents"


def test_who_must_say_who_asks_is_told_how(habits: Habits, monkeypatch: pytest.MonkeyPatch) -> None:
    habits.header = ("Authorization", "Bearer opensesame")
    with pytest.raises(SourceFailed, match="--auth bearer"):
        look(f"{habits.url}/github")
    login = parse_auth("bearer")
    with pytest.raises(WrongSetting, match="SOURCES__TICKET_OFFICE__API_TOKEN"):
        make_auth(login, "ticket_office")
    monkeypatch.setenv("SOURCES__TICKET_OFFICE__API_TOKEN", "opensesame")
    assert look(f"{habits.url}/github/agents", auth=make_auth(login, "ticket_office"))
    monkeypatch.setenv("SOURCES__TICKET_OFFICE__API_TOKEN", "wrong")
    with pytest.raises(SourceFailed, match="to our credentials"):
        look(f"{habits.url}/github", auth=make_auth(login, "ticket_office"))


@pytest.mark.parametrize("words", ["token", "bearer:abc", "api_key:X:body", "oauth2"])
def test_words_of_auth_that_are_none(words: str) -> None:
    with pytest.raises(WrongSetting, match="--auth"):
        parse_auth(words)


def test_a_login_in_the_url_is_refused_and_never_written(habits: Habits) -> None:
    with pytest.raises(WrongSetting, match="--auth basic"):
        look("http://me:secret@127.0.0.1/api")


def test_retry_after_is_honoured_and_requests_have_a_limit(habits: Habits) -> None:
    habits.busy = 1
    assert look(f"{habits.url}/plain/agents")
    with pytest.raises(WrongSetting, match="--requests"):
        look(f"{habits.url}/plain", requests=5)


def test_what_is_no_list_is_said(habits: Habits) -> None:
    habits.files["/info"] = {"version": 3}
    with pytest.raises(SourceFailed, match="no list of objects"):
        look(f"{habits.url}", "info")
    with pytest.raises(SourceFailed, match="cannot be asked"):
        Asker(None, 5).ask("http://127.0.0.1:9/")


def test_bare_lists_are_asked_for_as_objects(habits: Habits) -> None:
    original = habits.answer

    def answer(path: str, query: dict[str, str]) -> Any:
        if path != "/bare":
            return original(path, query)
        rows: list[Any] = [["a", n] for n in range(6)]
        if query.get("_shape") == "objects":
            rows = [{"code": f"c{n}", "n": n} for n in range(6)]
        return 200, {"facets": [{"name": "x"}], "rows": rows, "primary_keys": ["n"]}, {}

    habits.answer = answer  # type: ignore[method-assign]
    try:
        found = look(habits.url, "bare")["bare"]
    finally:
        habits.answer = original  # type: ignore[method-assign]
    assert (found.rows, found.params, found.contract.key) == ("rows", {"_shape": "objects"}, ("n",))


def test_entries_of_an_index_lead_to_their_lists(habits: Habits) -> None:
    entries = [{"name": name, "kind": "EntitySet", "url": name} for name in ("tickets", "agents")]
    habits.files["/odata"] = {"@odata.context": "x", "value": entries}
    assert set(look(f"{habits.url}/odata")) == {"tickets", "agents"}


def test_when_requests_are_used_up_the_rest_is_named_and_what_is_known_is_kept(
    habits: Habits,
) -> None:
    found = look_at_api(Wish(f"{habits.url}/github", requests=30), None, lambda said: None)
    assert [each.path for each in found.resources] == ["tickets"]
    assert [doubt.partition(":")[0] for doubt in found.doubts] == ["agents", "readings"]


def test_the_sample_of_one_table_leaves_requests_for_the_others(habits: Habits) -> None:
    readings = look(f"{habits.url}/django/readings", requests=60)["readings"]
    assert readings.sampled == 350  # seven pages of fifty
    assert readings.total == 400
