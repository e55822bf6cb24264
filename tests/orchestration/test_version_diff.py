"""Two versions compared, mart by mart; masked columns, the register, and what the command says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.history import version_diff
from orchestration.history.diff import Change
from orchestration.history.version_diff import diff_versions, in_words
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse
from tests.orchestration.marts import ROWS, build, release, roll_back, switch
from tests.orchestration.test_diff import counts


def diff(warehouse: Warehouse, a: str, b: str, mart: str | None = None) -> version_diff.VersionDiff:
    with warehouse.session() as session:
        return diff_versions(session, (a, b), mart)


def test_versions_are_compared_mart_by_mart(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2, "delete from marts__next.orders where id > 48")
    found = diff(warehouse, "previous", "live")
    assert (found.a.number, found.b.number) == (1, 2)
    assert counts(found.marts["customers"]) == (0, 0, ROWS, 0)
    assert counts(found.marts["orders"]) == (0, 2, ROWS - 2, 0)
    assert found.marts["orders"].removed_rows == ({"id": "49"}, {"id": "50"})
    assert diff(warehouse, "2", "run-2").marts["orders"].identical
    assert list(diff(warehouse, "1", "2", "orders").marts) == ["orders"]
    build(warehouse, 3)
    assert diff(warehouse, "live", "next").marts["orders"].added == 2
    roll_back(warehouse)
    assert diff(warehouse, "1", "live").marts["orders"].identical


def test_a_mart_that_one_version_alone_has_is_added_or_removed_as_a_whole(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1, "create table marts__next.old as select 1 as n")
    release(warehouse, 2, "create table marts__next.new as select generate_series(1, 3) as n")
    found = diff(warehouse, "1", "2")
    assert (found.removed, found.added) == ({"old": 1}, {"new": 3})
    lines = list(in_words(found))
    assert "old: the whole mart was removed, 1 row" in lines
    assert "new: the whole mart was added, 3 rows" in lines
    assert list(diff(warehouse, "1", "2", "new").marts) == []


PEOPLE = (
    "create table marts__next.people (id int primary key, name text)",
    "insert into marts__next.people values (1, 'Ada {v}'), (2, 'Bob')",
)


def test_masked_marts_are_compared_in_the_clear_and_shown_masked(warehouse: Warehouse) -> None:
    for version in (1, 2):
        people = [statement.replace("{v}", str(version)) for statement in PEOPLE]
        # what was masked in one of the two versions is masked for both
        masked = {"people": ["name"]} if version == 2 else {}
        build(warehouse, version, *people, **masked)
        switch(warehouse)
    found = diff(warehouse, "1", "2", "people").marts["people"]
    assert (found.key, counts(found)) == (("id",), (0, 0, 1, 1))
    assert found.changes == (Change({"id": "1"}, {"name": ("***", "***")}),)


def test_a_version_that_ecluse_found_is_compared_with_all_that_stands_in_it(
    warehouse: Warehouse,
) -> None:
    query(warehouse, "create schema marts; create table marts.orders as select 1 as id; select 1")
    release(warehouse, 2)
    assert counts(diff(warehouse, "previous", "live").marts["orders"]) == (49, 0, 0, 1)
    assert diff(warehouse, "live", "live").marts["orders"].identical


def test_a_view_that_somebody_made_inside_the_marts_is_no_mart(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    query(warehouse, "create view marts.mine as select 1 as n; select 1")
    assert list(diff(warehouse, "live", "live").marts) == ["customers", "orders"]


def test_an_unknown_version_or_mart_is_a_sentence_that_says_what_there_is(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    with pytest.raises(ConfigurationError, match=r"Version '9' is not there\. Versions: 1 \(live"):
        diff(warehouse, "live", "9")
    with pytest.raises(ConfigurationError, match=r"no mart 'x' in .*Marts: customers, orders\."):
        diff(warehouse, "live", "live", "x")


def test_a_publication_in_between_does_not_make_it_compare_what_was_not_asked_for(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    found = version_diff.open_register
    publications: Iterator[int] = iter([3])

    def and_then_somebody_publishes(session: object) -> object:
        versions = found(session)  # type: ignore[arg-type]
        for number in publications:
            release(warehouse, number, "delete from marts__next.orders", keep=3)
        return versions

    monkeypatch.setattr(version_diff, "open_register", and_then_somebody_publishes)
    assert diff(warehouse, "1", "2", "orders").marts["orders"].rows_b == ROWS


def test_the_command_prints_lines_for_people_and_one_document_for_scripts(
    warehouse: Warehouse, project: Path
) -> None:
    release(warehouse, 1)
    release(warehouse, 2, "update marts__next.customers set version = 1")
    done = ecluse(project, "diff", "previous", "live", "--limit", "1", warehouse=warehouse)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "version 1 (kept) -> version 2 (live)",
        "customers: identical, 50 rows",
        "orders: 0 added, 0 removed, 50 changed of 50",
        "  version: 0.00 % match",
        "  ~ id 1: version 1 -> 2",
    ]
    found = json.loads(
        ecluse(project, "diff", "1", "2", "orders", "--json", warehouse=warehouse).stdout
    )
    assert (found["a"]["number"], found["b"]["number"]) == (1, 2)
    assert list(found["marts"]) == ["orders"]
    assert found["marts"]["orders"]["changed"] == 50
    assert found["marts"]["orders"]["changes"][0] == {
        "key": {"id": "1"}, "columns": {"version": ["1", "2"]},
    }  # fmt: skip
    for args, said in ((("1", "7"), "Version '7' is not there"), (("1", "2", "x"), "no mart 'x'")):
        done = ecluse(project, "diff", *args, warehouse=warehouse)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
