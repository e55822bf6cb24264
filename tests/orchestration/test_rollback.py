"""Rollback: the same switch backwards, and what it must not bring back."""

import pytest

from orchestration.errors import ConfigurationError, PublishBlocked
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import (
    build,
    live_number,
    release,
    roll_back,
    schemas,
    version_in,
)


def test_the_version_before_comes_back_and_the_one_rolled_back_stays(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    done = roll_back(warehouse)
    assert (done.version.number, done.tables) == (1, ["customers", "orders"])
    assert version_in(warehouse) == live_number(warehouse) == 1
    assert schemas(warehouse) == ["marts", "marts__v2"]
    roll_back(warehouse, "2")
    assert version_in(warehouse) == 2


def test_each_rollback_goes_further_back_and_never_forth_by_itself(warehouse: Warehouse) -> None:
    for version in (1, 2, 3):
        release(warehouse, version, keep=3)
    assert [roll_back(warehouse, keep=3).version.number for _ in range(2)] == [2, 1]
    with pytest.raises(ConfigurationError, match=r"Version 'previous' is not there\. Versions: "):
        roll_back(warehouse)
    assert version_in(warehouse) == 1


def test_what_was_rolled_back_from_goes_first(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    roll_back(warehouse)
    release(warehouse, 3)
    assert schemas(warehouse) == ["marts", "marts__v1"], "2 was bad, 1 was served until now"


def test_a_version_that_is_gone_or_never_was_is_a_sentence(warehouse: Warehouse) -> None:
    for version in (1, 2, 3):
        release(warehouse, version)
    with pytest.raises(ConfigurationError, match=r"Version '1' was dropped\. Versions: 3 \(live\)"):
        roll_back(warehouse, "1")
    with pytest.raises(ConfigurationError, match="Version '77' is not there"):
        roll_back(warehouse, "77")


def test_a_right_that_was_taken_since_does_not_come_back(
    warehouse: Warehouse, guest: Guests
) -> None:
    gone, stays = guest().user, guest().user
    release(warehouse, 1)
    query(warehouse, f'grant usage on schema marts to "{gone}", "{stays}"; '
          f'grant select on all tables in schema marts to "{gone}"; '
          f'grant select (id) on marts.orders to "{gone}"; select 1')  # fmt: skip
    release(warehouse, 2)
    query(warehouse, f'revoke all on all tables in schema marts from "{gone}"; '
          f'revoke usage on schema marts from "{gone}"; '
          f'grant select on marts.orders to "{stays}"; select 1')  # fmt: skip
    roll_back(warehouse)
    asked = "select has_schema_privilege(%s, 'marts', 'usage'), "
    asked += "has_any_column_privilege(%s, 'marts.orders', 'select')"
    assert query(warehouse, asked, gone, gone) == [(False, False)]
    assert query(warehouse, asked, stays, stays) == [(True, True)]


def test_nobody_but_the_owner_may_enter_a_version_that_is_not_live(
    warehouse: Warehouse, guest: Guests
) -> None:
    reader = guest().user
    release(warehouse, 1)
    query(warehouse, f'grant usage on schema marts to "{reader}", public; '
          f'grant select on all tables in schema marts to "{reader}"; select 1')  # fmt: skip
    release(warehouse, 2)
    asked = "select has_schema_privilege(%s, nspname, 'usage') from pg_namespace "
    asked += "where nspname in ('marts', 'marts__v1') order by nspname"
    assert query(warehouse, asked, reader) == [(True,), (False,)]


def test_a_reader_holds_a_rollback_up_as_it_does_a_publication(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("begin; select count(*) from marts.orders")
        with pytest.raises(PublishBlocked, match=r"not switched to version 1: .* try again\."):
            roll_back(warehouse, timeout=0.5)
    assert version_in(warehouse) == 2


def test_a_build_in_the_chamber_does_not_disturb_a_rollback(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    build(warehouse, 3)
    roll_back(warehouse)
    assert version_in(warehouse) == 1
    assert version_in(warehouse, "marts__next") == 3
