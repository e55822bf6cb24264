"""Personal data in the marts: masked for readers, clear for those who may see it."""

import psycopg2
import pytest

from orchestration.errors import WarehouseForbids
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import PII_ROLE, build, roll_back, schemas, switch

PEOPLE = (
    "create table marts__next.people (id int primary key, name text, code varchar(2), born date, "
    "salary numeric(9, 2), city text not null)",
    "insert into marts__next.people values (1, 'Ada', 'ab', '1815-12-10', 1.5, 'London'), "
    "(2, null, null, null, null, 'Paris')",
    "comment on table marts__next.people is 'all people'",
    "comment on column marts__next.people.name is 'full name'",
)
MASKED = ["name", "code", "born", "salary"]
IN_THE_CLEAR = "select name, code, born::text, salary::float from marts.people order by id"


@pytest.fixture
def reader(warehouse: Warehouse, guest: Guests) -> Warehouse:
    """Somebody who was given the marts with the sentence that everybody uses."""
    build(warehouse, 1, *PEOPLE, people=MASKED)
    switch(warehouse)
    found = guest()
    query(warehouse, f'grant usage on schema marts to "{found.user}"; '
          f'grant select on all tables in schema marts to "{found.user}"; select 1')  # fmt: skip
    return found


def clear(person: Warehouse) -> bool:
    found = query(person, IN_THE_CLEAR)
    assert found[1] == (None, None, None, None), "null stays null"
    assert found[0] in {("Ada", "ab", "1815-12-10", 1.5), ("***", "**", None, None)}
    return found[0][0] == "Ada"


def may_see(warehouse: Warehouse, user: str) -> None:
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(f"select from pg_roles where rolname = '{PII_ROLE}'")
        if not cursor.fetchone():
            cursor.execute(f"create role {PII_ROLE} nologin")
        cursor.execute(f'grant {PII_ROLE} to "{user}"')


def test_a_reader_sees_masks_and_a_member_of_the_role_sees_through(
    warehouse: Warehouse, reader: Warehouse
) -> None:
    assert clear(warehouse), "the owner"
    assert not clear(reader)
    assert query(reader, "select id, city from marts.people") == [(1, "London"), (2, "Paris")]
    may_see(warehouse, reader.user)
    assert clear(reader)


def test_it_stays_so_over_publications_and_rollbacks(
    warehouse: Warehouse, reader: Warehouse
) -> None:
    for version in (2, 3):
        build(warehouse, version, *PEOPLE, people=MASKED)
        switch(warehouse)
        assert not clear(reader)
    roll_back(warehouse)
    assert not clear(reader)
    assert schemas(warehouse) == ["marts", "marts__v2__clear", "marts__v3", "marts__v3__clear"]


def test_a_column_that_becomes_personal_is_masked_from_that_version_on(
    warehouse: Warehouse, reader: Warehouse
) -> None:
    build(warehouse, 2, *PEOPLE)
    switch(warehouse)
    assert clear(reader), "nothing is masked any more"
    build(warehouse, 3, *PEOPLE, people=MASKED)
    switch(warehouse)
    assert not clear(reader)


def test_the_table_behind_the_mask_cannot_be_reached(
    warehouse: Warehouse, reader: Warehouse
) -> None:
    with pytest.raises(WarehouseForbids, match="marts__v1__clear"):
        query(reader, "select * from marts__v1__clear.people")
    leak = "create function pg_temp.leak(text) returns bool language plpgsql cost 0.0001 as "
    leak += "$$ begin raise notice 'leaked %%', $1; return true; end $$; "
    with psycopg2.connect(**{
        "host": reader.host, "port": reader.port, "user": reader.user,
        "password": reader.password, "dbname": reader.dbname,
    }) as session, session.cursor() as cursor:  # fmt: skip
        cursor.execute(
            leak.replace("%%", "%") + "select * from marts.people where pg_temp.leak(name)"
        )
        said = "".join(session.notices)
    session.close()
    assert "leaked ***" in said
    assert "Ada" not in said


def test_types_comments_and_the_index_are_those_of_the_table(
    warehouse: Warehouse, reader: Warehouse
) -> None:
    types = "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) "
    types += "from pg_attribute where attnum > 0 and attrelid = %s::regclass"
    view, table = (query(warehouse, types, name)
                   for name in ("marts.people", "marts__v1__clear.people"))  # fmt: skip
    assert view == table
    said = "select obj_description('marts.people'::regclass), "
    said += "col_description('marts.people'::regclass, 2)"
    assert query(warehouse, said) == [("all people", "full name")]
    plan = "set enable_seqscan = off; explain select name from marts.people where id = 1"
    assert "Index" in str(query(reader, plan))


def test_what_the_table_was_granted_the_view_grants(warehouse: Warehouse, guest: Guests) -> None:
    person = guest()
    grant = f'grant select on marts__next.people to "{person.user}"'  # as dbt's grants config does
    build(warehouse, 1, *PEOPLE, grant, people=MASKED)
    switch(warehouse)
    query(warehouse, f'grant usage on schema marts to "{person.user}"; select 1')
    assert not clear(person)


def test_publication_by_an_ordinary_login_locks_the_mask_and_no_catalog(
    warehouse: Warehouse, guest: Guests
) -> None:
    owner = guest()
    query(warehouse, f'grant create on database {warehouse.dbname} to "{owner.user}"; select 1')
    for version in (1, 2):
        build(owner, version, *PEOPLE, people=MASKED)
        switch(owner)
    assert clear(owner)
    with psycopg2.connect(owner.url()) as session, session.cursor() as cursor:
        cursor.execute("lock table marts.people in access exclusive mode")
        cursor.execute(
            "select relation::regclass::text from pg_locks where pid = pg_backend_pid() "
            "and relation is not null and mode = 'AccessExclusiveLock' order by 1"
        )
        assert cursor.fetchall() == [("marts.people",), ("marts__v2__clear.people",)]
    session.close()


def test_who_may_see_is_asked_once_a_query(warehouse: Warehouse, reader: Warehouse) -> None:
    plan = "explain (analyze, timing off) select name from marts.people"
    lines = "\n".join(line for (line,) in query(reader, plan))
    assert "InitPlan" in lines
    assert "SubPlan" not in lines
