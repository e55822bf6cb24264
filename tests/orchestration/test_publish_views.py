"""Views that people made on the marts: they follow the switch, or are named and left behind."""

import pytest

from orchestration.errors import PublishBlocked
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import build, release, roll_back, schemas, switch, version_in


def make_view(warehouse: Warehouse, text: str = "select * from marts.orders") -> None:
    query(warehouse, f"create schema if not exists mine; create view mine.v as {text}; select 1")


def seen(warehouse: Warehouse, view: str = "mine.v") -> list[tuple]:
    return query(warehouse, f"select distinct version from {view}")


def test_a_view_in_another_schema_follows(warehouse: Warehouse, guest: Guests) -> None:
    release(warehouse, 1)
    make_view(warehouse)
    reader = guest().user
    query(warehouse, f'grant select on mine.v to "{reader}"; alter view mine.v set '
          "(security_barrier = true); comment on view mine.v is 'mine'; select 1")  # fmt: skip
    assert [release(warehouse, n).notes for n in (2, 3, 4)] == [[], [], []]
    assert seen(warehouse) == [(4,)]
    roll_back(warehouse)
    assert seen(warehouse) == [(3,)]
    kept = "select reloptions, obj_description(oid), has_table_privilege(%s, oid, 'select') "
    kept += "from pg_class where relname = 'v'"
    assert query(warehouse, kept, reader) == [(["security_barrier=true"], "mine", True)]
    assert schemas(warehouse) == ["marts", "marts__v4"], "nothing holds the old versions"


def test_a_view_inside_the_marts_is_made_anew_with_its_rights_and_comment(
    warehouse: Warehouse, guest: Guests
) -> None:
    reader = guest().user
    release(warehouse, 1)
    query(warehouse, "create view marts.report as select version, count(*) from marts.orders "
          f'group by version; grant select on marts.report to "{reader}"; '
          "comment on view marts.report is 'by hand'; comment on column marts.report.count is 'n'; "
          "create view marts.on_report as table marts.report; select 1")  # fmt: skip
    make_view(warehouse, "select * from marts.on_report")
    for version in (2, 3, 4):
        assert release(warehouse, version).notes == []
        assert seen(warehouse, "marts.report") == seen(warehouse) == [(version,)]
    kept = "select obj_description(oid), col_description(oid, 2), "
    kept += (
        "has_table_privilege(%s, oid, 'select') from pg_class where oid = 'marts.report'::regclass"
    )
    assert query(warehouse, kept, reader) == [("by hand", "n", True)]


def test_a_hand_made_index_and_comment_go_along(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    query(warehouse, "create index by_hand on marts.orders (version, id) where id > 3; "
          "comment on column marts.orders.id is 'by hand'; "
          f"create index \"{'0af' * 10}00\" on marts.orders (id, version); select 1")  # fmt: skip
    for version in (2, 3):
        assert release(warehouse, version).notes == []
    found = query(warehouse, "select indexdef from pg_indexes where schemaname = 'marts'")
    by_hand = [text for (text,) in found if text.endswith("(version, id) WHERE (id > 3)")]
    by_dbt = [text for (text,) in found if text.endswith("(id, version)")]
    assert (len(by_hand), by_dbt) == (1, []), "what dbt no longer makes stays behind"
    assert query(warehouse, "select col_description('marts.orders'::regclass, 1)") == [("by hand",)]


def test_a_view_that_cannot_follow_is_named_and_goes_on_reading_its_version(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    make_view(warehouse)
    query(warehouse, "create materialized view mine.m as table marts.customers; select 1")
    done = release(warehouse, 2, "alter table marts__next.orders drop column version cascade",
                   "alter table marts__next.orders add version text")  # fmt: skip
    assert done.notes == [
        "view mine.v of postgres goes on reading version 1: cannot change data type of view column "
        '"version" from integer to text',
        "materialized view mine.m of postgres goes on reading version 1: "
        "it cannot be replaced by us",
    ]
    (kept,) = release(warehouse, 3).notes
    assert kept.startswith("version 1 had to be kept: ")
    assert "view mine.v depends on table marts__v1.orders" in kept
    assert seen(warehouse) == [(1,)]
    query(warehouse, "drop view mine.v; drop materialized view mine.m; select 1")
    assert release(warehouse, 4).notes == []
    assert schemas(warehouse) == ["marts", "marts__v3"]


def test_views_are_left_alone_where_that_is_asked_for(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    make_view(warehouse)
    (note,) = release(warehouse, 2, outside_views="keep").notes
    assert note.endswith("goes on reading version 1: as ECLUSE_OUTSIDE_VIEWS says")
    assert seen(warehouse) == [(1,)]


def test_a_view_that_cannot_follow_stops_the_switch_where_that_is_asked_for(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    make_view(warehouse)
    query(warehouse, "create materialized view mine.m as table marts.customers; select 1")
    build(warehouse, 2)
    with pytest.raises(
        PublishBlocked, match=r"materialized view mine\.m of postgres reads the old"
    ):
        switch(warehouse, outside_views="block")
    assert version_in(warehouse) == 1
    assert version_in(warehouse, "marts__next") == 2
    query(warehouse, "drop materialized view mine.m; select 1")
    assert switch(warehouse, outside_views="block").notes == []
    assert seen(warehouse) == [(2,)]


def test_a_reader_of_a_view_and_publication_do_not_stop_each_other(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    make_view(warehouse)
    build(warehouse, 2)
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("begin; select distinct version from mine.v")
        with pytest.raises(PublishBlocked, match=f"pid {session.info.backend_pid} "):
            switch(warehouse, timeout=0.5)
        cursor.execute("select distinct version from mine.v")
        assert cursor.fetchall() == [(1,)]
    switch(warehouse)
    assert seen(warehouse) == [(2,)]
