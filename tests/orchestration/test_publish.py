"""Publication: what is switched, what is kept, what travels along."""

import pytest

from orchestration.errors import PublishBlocked
from orchestration.publish import prepare
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import build, release, schemas, switch, version_in


def test_a_first_publication_makes_the_marts(warehouse: Warehouse) -> None:
    done = release(warehouse, 1)
    assert done.tables == ["customers", "orders"]
    assert schemas(warehouse) == ["marts"]
    assert version_in(warehouse) == 1


def test_a_second_publication_keeps_the_version_before(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    assert schemas(warehouse) == ["marts", "marts__prev"]
    assert (version_in(warehouse), version_in(warehouse, "marts__prev")) == (2, 1)


def test_a_third_publication_drops_the_oldest_version(warehouse: Warehouse) -> None:
    for version in (1, 2, 3):
        done = release(warehouse, version)
    assert done.kept is None
    assert schemas(warehouse) == ["marts", "marts__prev"]
    assert (version_in(warehouse), version_in(warehouse, "marts__prev")) == (3, 2)


def test_an_empty_build_publishes_nothing_and_keeps_what_readers_have(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    for statement in ("select 1", "create schema marts__next; select 1"):
        query(warehouse, statement)
        with pytest.raises(PublishBlocked, match="nothing to publish") as caught:
            switch(warehouse)
        assert caught.value.exit_code == 1
    assert version_in(warehouse) == 1


def test_a_model_that_was_removed_is_not_published_from_an_earlier_build(
    warehouse: Warehouse,
) -> None:
    build(warehouse, 1, "create table marts__next.removed (n int)")
    done = release(warehouse, 2)  # what `build` prepares drops the leftover first
    assert done.tables == ["customers", "orders"]


def test_indexes_keys_and_comments_come_with_the_new_tables(warehouse: Warehouse) -> None:
    for version in (1, 2):
        release(warehouse, version)
    indexes = "select count(*) from pg_indexes where schemaname = 'marts'"
    assert query(warehouse, indexes) == [(4,)]
    comment = "select obj_description('marts.orders'::regclass)"
    assert query(warehouse, comment) == [("version 2",)]
    keys = "select count(*) from pg_constraint where contype = 'p' and connamespace = "
    assert query(warehouse, keys + "'marts'::regnamespace") == [(2,)]


def test_readers_keep_their_grants(warehouse: Warehouse, guest: Guests) -> None:
    release(warehouse, 1)
    reader, half = guest(), guest()
    query(
        warehouse,
        f'grant usage on schema marts to "{reader.user}" with grant option; '
        f'grant select on all tables in schema marts to "{reader.user}" with grant option; '
        f'grant usage on schema marts to "{half.user}"; '
        f'grant select (id) on marts.orders to "{half.user}"; '
        "grant select on marts.customers to public; select 1",
    )
    before = grants(warehouse)
    release(warehouse, 2)
    assert grants(warehouse) == before
    assert version_in(reader) == 2
    assert query(half, "select max(id) from marts.orders") == [(50,)]
    release(warehouse, 3)
    assert grants(warehouse) == before


def grants(warehouse: Warehouse) -> list[tuple]:
    """Who may do what in the marts: on the schema, its tables, and single columns."""
    return query(
        warehouse,
        "select what, (select array_agg(one::text order by one::text) from unnest(acl) as one) "
        "from (select 'schema', nspacl from pg_namespace where nspname = 'marts' "
        "union all select relname, relacl from pg_class "
        "where relnamespace = 'marts'::regnamespace and relkind = 'r' "
        "union all select relname || '.' || attname, attacl from pg_attribute "
        "join pg_class on pg_class.oid = attrelid where attacl is not null "
        "and relnamespace = 'marts'::regnamespace) as found (what, acl) order by 1",
    )


def test_the_comment_on_the_schema_stays(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    query(warehouse, "comment on schema marts is 'it''s 100% ours'; select 1")
    release(warehouse, 2)
    found = query(warehouse, "select obj_description('marts'::regnamespace)")
    assert found == [("it's 100% ours",)]


def test_a_grant_on_a_table_or_column_that_is_gone_stops_nothing(
    warehouse: Warehouse, guest: Guests
) -> None:
    gone = ("create table marts__next.gone (n int)", "alter table marts__next.orders add old int")
    release(warehouse, 1, *gone)
    query(
        warehouse,
        f'grant select on marts.gone to "{guest().user}"; '
        f'grant select (old) on marts.orders to "{guest().user}"; select 1',
    )
    assert release(warehouse, 2).tables == ["customers", "orders"]


def test_a_reader_without_a_grant_gets_none(warehouse: Warehouse, guest: Guests) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    stranger = guest()
    rights = "select has_schema_privilege(%s, 'marts', 'usage')"
    assert query(warehouse, rights, stranger.user) == [(False,)]


def test_a_users_view_on_an_old_mart_is_kept_aside_and_goes_on_working(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    query(
        warehouse,
        "create schema mine; create view mine.big as select * from marts.orders; select 1",
    )
    assert [release(warehouse, n).kept is None for n in (2, 3, 4)] == [True, False, True]
    assert query(warehouse, "select distinct version from mine.big") == [(1,)]
    (aside,) = [name for name in schemas(warehouse) if name.startswith("marts__old_")]
    assert version_in(warehouse, aside) == 1
    assert version_in(warehouse) == 4


def test_what_was_kept_aside_goes_once_nobody_reads_it_any_more(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    query(warehouse, "create schema mine; create view mine.v as table marts.orders; select 1")
    release(warehouse, 2)
    assert release(warehouse, 3).kept
    query(warehouse, "drop view mine.v; select 1")
    release(warehouse, 4)
    assert schemas(warehouse) == ["marts", "marts__prev"]


def test_two_views_of_users_do_not_trip_over_each_other(warehouse: Warehouse) -> None:
    query(warehouse, "create schema mine; select 1")
    kept = []
    for version in range(1, 6):
        kept.append(release(warehouse, version).kept)
        query(warehouse, f"create view mine.v{version} as select * from marts.orders; select 1")
    assert len({name for name in kept if name}) == 3, "one schema for each version a view reads"
    assert query(warehouse, "select distinct version from mine.v1") == [(1,)]
    assert version_in(warehouse) == 5


def test_marts_that_are_views_are_switched_and_dropped_like_tables(warehouse: Warehouse) -> None:
    views = (
        "create view marts__next.a_view as select * from marts__next.orders",
        "create view marts__next.z_view as select * from marts__next.a_view",
        "create materialized view marts__next.m_view as select * from marts__next.z_view",
    )
    for version in (1, 2, 3, 4):
        assert release(warehouse, version, *views).kept is None
    assert schemas(warehouse) == ["marts", "marts__prev"]
    assert query(warehouse, "select distinct version from marts.z_view") == [(4,)]


def test_marts_that_hang_together_are_dropped_together(warehouse: Warehouse) -> None:
    more = (
        "alter table marts__next.customers add foreign key (id) references marts__next.orders",
        "create table marts__next.made (n int generated always as identity)",
        "create table marts__next.parts (n int) partition by range (n)",
        "create table marts__next.part1 partition of marts__next.parts for values from (1) to (9)",
    )
    for version in (1, 2, 3, 4):
        assert release(warehouse, version, *more).kept is None
    assert schemas(warehouse) == ["marts", "marts__prev"]


def test_names_that_need_quotes_are_quoted(warehouse: Warehouse) -> None:
    odd = 'create table marts__next."Big ""Table%" as select 1 as version'
    for version in (1, 2, 3):
        release(warehouse, version, odd)
    assert query(warehouse, 'select version from marts."Big ""Table%"') == [(1,)]


def test_a_leftover_of_a_publication_that_was_killed_does_not_stop_the_next(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    # killed between the switch and the drop
    query(warehouse, "create schema marts__old; create table marts__old.x (n int); select 1")
    assert release(warehouse, 3).kept is None
    assert schemas(warehouse) == ["marts", "marts__prev"]


def test_the_preparation_of_a_build_gives_up_on_whoever_reads_an_earlier_one(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.publish.PREPARE_TIMEOUT_MS", 300)
    build(warehouse, 1)
    with warehouse.session() as reader, reader.cursor() as cursor:
        cursor.execute("begin; select count(*) from marts__next.orders")
        pid = reader.info.backend_pid
        with pytest.raises(PublishBlocked, match=f"pid {pid} "), warehouse.session() as session:
            prepare(session)
        cursor.execute("rollback")
    build(warehouse, 2)
