"""Publication: what is switched, what is kept, what travels along."""

import pytest

from orchestration.errors import BuildBroke, PublishBlocked
from orchestration.publication.chamber import prepare, seal
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import PII_ROLE, build, release, schemas, version_in


def test_a_first_publication_makes_the_marts(warehouse: Warehouse) -> None:
    done = release(warehouse, 1)
    assert done.tables == ["customers", "orders"]
    assert schemas(warehouse) == ["marts"]
    assert version_in(warehouse) == 1


def test_a_second_publication_keeps_the_version_before(warehouse: Warehouse) -> None:
    release(warehouse, 1)
    release(warehouse, 2)
    assert schemas(warehouse) == ["marts", "marts__v1"]
    assert (version_in(warehouse), version_in(warehouse, "marts__v1")) == (2, 1)


def test_a_third_publication_drops_the_oldest_version(warehouse: Warehouse) -> None:
    for version in (1, 2, 3):
        done = release(warehouse, version)
    assert done.notes == []
    assert schemas(warehouse) == ["marts", "marts__v2"]
    assert (version_in(warehouse), version_in(warehouse, "marts__v2")) == (3, 2)


def test_as_many_versions_are_kept_as_are_asked_for(warehouse: Warehouse) -> None:
    for version in range(1, 6):
        release(warehouse, version, keep=3)
    assert schemas(warehouse) == ["marts", "marts__v3", "marts__v4"]
    release(warehouse, 6, keep=1)
    assert schemas(warehouse) == ["marts"]


def test_an_empty_build_is_not_sealed_and_readers_keep_what_they_have(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    with warehouse.session() as session:
        prepare(session, "empty")
        with pytest.raises(BuildBroke, match="nothing to publish") as caught:
            seal(session, {}, PII_ROLE)
    assert caught.value.exit_code == 1
    assert version_in(warehouse) == 1


def test_a_mart_that_reaches_out_of_the_marts_is_not_sealed(warehouse: Warehouse) -> None:
    query(warehouse, "create schema staging; create table staging.s as select 1 as n; select 1")
    with pytest.raises(BuildBroke, match=r"open_mart reads staging\.s\. Materialize it"):
        build(warehouse, 1, "create view marts__next.open_mart as table staging.s")


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


def test_marts_that_are_views_are_switched_and_dropped_like_tables(warehouse: Warehouse) -> None:
    views = (
        "create view marts__next.a_view as select * from marts__next.orders",
        "create view marts__next.z_view as select * from marts__next.a_view",
        "create materialized view marts__next.m_view as select * from marts__next.z_view",
    )
    for version in (1, 2, 3, 4):
        assert release(warehouse, version, *views).notes == []
    assert schemas(warehouse) == ["marts", "marts__v3"]
    assert query(warehouse, "select distinct version from marts.z_view") == [(4,)]


def test_marts_that_hang_together_are_dropped_together(warehouse: Warehouse) -> None:
    more = (
        "alter table marts__next.customers add foreign key (id) references marts__next.orders",
        "create table marts__next.made (n int generated always as identity)",
        "create table marts__next.parts (n int) partition by range (n)",
        "create table marts__next.part1 partition of marts__next.parts for values from (1) to (9)",
    )
    for version in (1, 2, 3, 4):
        assert release(warehouse, version, *more).notes == []
    assert schemas(warehouse) == ["marts", "marts__v3"]


def test_names_that_need_quotes_are_quoted(warehouse: Warehouse) -> None:
    odd = 'create table marts__next."Big ""Table%" as select 1 as version'
    for version in (1, 2, 3):
        release(warehouse, version, odd)
    assert query(warehouse, 'select version from marts."Big ""Table%"') == [(1,)]


def test_a_version_that_a_killed_publication_did_not_drop_is_dropped_by_the_next(
    warehouse: Warehouse,
) -> None:
    release(warehouse, 1)
    release(warehouse, 2, keep=9)
    release(warehouse, 3, keep=9)  # as if it had been killed between the switch and the drop
    assert schemas(warehouse) == ["marts", "marts__v1", "marts__v2"]
    release(warehouse, 4)
    assert schemas(warehouse) == ["marts", "marts__v3"]


def test_marts_that_nobody_registered_are_a_version_too(warehouse: Warehouse) -> None:
    query(warehouse, "create schema marts; create table marts.t as select 1 as version; select 1")
    release(warehouse, 2)
    assert schemas(warehouse) == ["marts", "marts__v1"]
    query(warehouse, "drop schema ops cascade; select 1")  # the register is lost, the marts are not
    release(warehouse, 3)
    assert schemas(warehouse) == ["marts", "marts__v2"]
    query(warehouse, "drop schema marts__v2 cascade; select 1")
    release(warehouse, 4)
    assert schemas(warehouse) == ["marts", "marts__v3"]


def test_the_preparation_of_a_build_gives_up_on_whoever_reads_an_earlier_one(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.publication.chamber.PREPARE_TIMEOUT_MS", 300)
    build(warehouse, 1)
    with warehouse.session() as reader, reader.cursor() as cursor:
        cursor.execute("begin; select count(*) from marts__next.orders")
        pid = reader.info.backend_pid
        with pytest.raises(PublishBlocked, match=f"pid {pid} "), warehouse.session() as session:
            prepare(session, "another")
        cursor.execute("rollback")
    build(warehouse, 2)
