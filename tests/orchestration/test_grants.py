"""`ecluse grants`: the roles, who is let in, and what a person is told who may not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration import roles
from orchestration.errors import ConfigurationError, RunLocked, WarehouseForbids
from orchestration.lock import run_lock
from orchestration.roles import Granted, grant, statements
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import ecluse, settings_for
from tests.orchestration.logins import FORBIDDEN, SEES, make_login, may_select, psql, trying

ROLES = "select rolname from pg_roles where rolname like %s order by 1"
# Everything that says who may do what in a database.
RIGHTS = """
select 'schema', nspname, pg_get_userbyid(nspowner), nspacl::text from pg_namespace
union all select 'table', oid::regclass::text, pg_get_userbyid(relowner), relacl::text
from pg_class where relkind in ('r', 'v') and relnamespace > 16383
union all select 'database', '', '', datacl::text from pg_database
where datname = current_database()
union all select 'member', pg_get_userbyid(roleid), pg_get_userbyid(member), '' from pg_auth_members
order by 1, 2, 3, 4
"""
OLD = """
create schema raw_shop; create table raw_shop.orders (n int); create schema staging;
create view staging.stg as select * from raw_shop.orders; create schema ops; create schema marts;
create table ops.runs (n int); create table marts.sales as select * from staging.stg;
create schema marts__v1; create table marts__v1.sales (n int);
create schema marts__next; create table marts__next.sales (n int);
create schema quarantine; create table quarantine.orders (n int)
"""
EVERYTHING = {
    "raw_shop", "staging", "quarantine", "ops", "marts", "marts__next", "marts__v1",
}  # fmt: skip


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """Of a name of its own: roles are the server's, and are named after the database here."""
    return make_database(server)


@pytest.fixture
def settings(strict_server: Warehouse, warehouse: Warehouse, tmp_path: Path) -> Settings:
    """Roles of its own for each test, for roles belong to the whole server."""
    return of(warehouse, tmp_path, ECLUSE_ROLE_PREFIX=f"x_{warehouse.dbname}")


def of(warehouse: Warehouse, root: Path, **variables: str) -> Settings:
    return settings_for(root, warehouse, **variables)


def as_(person: Warehouse, settings: Settings) -> Settings:
    return replace(settings, warehouse_url=person.url())


def roles_there(warehouse: Warehouse, settings: Settings) -> list[str]:
    found = query(warehouse, ROLES, settings.role_prefix + r"\_%")
    return [name.removeprefix(settings.role_prefix + "_") for (name,) in found]


def test_four_roles_are_made_that_cannot_log_in_and_twice_is_the_same(
    warehouse: Warehouse, settings: Settings
) -> None:
    psql(warehouse, OLD)
    first = grant(settings, {})
    assert roles_there(warehouse, settings) == ["loader", "pii", "reader", "transformer"]
    logins = "select count(*) from pg_roles where rolcanlogin and rolname like %s"
    assert query(warehouse, logins, settings.role_prefix + r"\_%") == [(0,)]
    before = query(warehouse, RIGHTS)
    assert grant(settings, {}) == first
    assert query(warehouse, RIGHTS) == before
    assert first.missing == []
    assert [role.members for role in first.roles.values()] == [[], [], [], []]


def test_the_script_for_a_dba_comes_to_the_same(
    server: Warehouse, warehouse: Warehouse, settings: Settings
) -> None:
    person = make_login(warehouse, "reader")
    named = {"reader": [person.user]}
    one, other = make_database(server), make_database(server)
    for each in (one, other):
        psql(each, OLD)
    grant(replace(settings, warehouse_url=one.url()), named)
    psql(other, statements(settings, named))
    assert query(one, RIGHTS) == query(other, RIGHTS)
    assert trying(replace(person, dbname=other.dbname), "select from marts.sales") == SEES


def test_each_role_may_do_its_work_and_nothing_else_in_a_warehouse_that_was_somebody_elses(
    warehouse: Warehouse, settings: Settings
) -> None:
    psql(warehouse, OLD)
    people = {name: make_login(warehouse, name)
              for name in ("loader", "transformer", "reader", "pii")}  # fmt: skip
    done = grant(settings, {name: [person.user] for name, person in people.items()})
    assert done.missing == []
    assert done.roles["loader"].members == [people["loader"].user]
    assert done.roles["reader"].members == sorted([people["pii"].user, people["reader"].user])
    seen = {name: may_select(person, warehouse) for name, person in people.items()}
    assert seen == {
        "loader": {"raw_shop"}, "transformer": EVERYTHING, "reader": {"marts"}, "pii": {"marts"},
    }  # fmt: skip
    tried = {
        statement: {name for name, person in people.items() if trying(person, statement) == SEES}
        for statement in (
            "insert into raw_shop.orders values (1)",
            "alter table raw_shop.orders add column more int",
            "create schema raw_other",
            "insert into ops.runs values (1)",
            "create table marts.mine (n int)",
            "delete from marts.sales",
            "drop table marts.sales",
            "alter schema marts rename to marts__v2",
            "drop view staging.stg",
        )
    }
    assert list(tried.values()) == [
        {"loader"}, {"loader"}, {"loader", "transformer"},
        {"transformer"}, {"transformer"}, {"transformer"}, {"transformer"}, {"transformer"},
        {"transformer"},
    ]  # fmt: skip


def test_without_a_new_login_nothing_changes_hands(
    warehouse: Warehouse, settings: Settings
) -> None:
    owner, reader = make_login(warehouse, "owner"), make_login(warehouse, "reader")
    query(warehouse, f'grant create on database {warehouse.dbname} to "{owner.user}"; select 1')
    psql(owner, OLD)
    grant(settings, {"reader": [reader.user]})
    assert may_select(owner, warehouse) == EVERYTHING
    assert trying(owner, "drop table marts.sales") == SEES
    assert may_select(reader, warehouse) == {"marts"}


def test_what_somebody_was_given_by_hand_stays_but_not_what_everybody_was_given(
    warehouse: Warehouse, settings: Settings
) -> None:
    psql(warehouse, OLD)
    auditor, anybody = make_login(warehouse, "auditor"), make_login(warehouse, "anybody")
    for whom in (f'"{auditor.user}"', "public"):
        psql(warehouse, f"grant usage on schema ops to {whom}; grant select on ops.runs to {whom};")
    psql(warehouse, "grant usage on schema marts to public; grant select on marts.sales to public")
    assert may_select(anybody, warehouse) == {"ops", "marts"}
    grant(settings, {})
    assert may_select(auditor, warehouse) == {"ops", "marts"}
    assert may_select(anybody, warehouse) == {"marts"}, "what is there to be read"


def test_a_login_that_is_not_there_is_named_and_nothing_is_made(
    warehouse: Warehouse, settings: Settings
) -> None:
    with pytest.raises(ConfigurationError, match=r'no login no "body" in this .*nothing was'):
        grant(settings, {"reader": [warehouse.user], "pii": ['no "body"']})
    assert roles_there(warehouse, settings) == []


def test_a_name_with_quotes_is_only_a_name(warehouse: Warehouse, settings: Settings) -> None:
    person = make_login(warehouse, 'x"; drop schema marts; --')
    psql(warehouse, "create schema marts")
    done = grant(settings, {"reader": [person.user]})
    assert done.roles["reader"].members == [person.user]
    assert trying(person, 'create table marts."t" (n int)') == FORBIDDEN


def test_who_may_not_make_roles_is_shown_the_way(warehouse: Warehouse, settings: Settings) -> None:
    weak, stranger = make_login(warehouse, "weak"), make_login(warehouse, "boss", "createrole")
    with pytest.raises(WarehouseForbids, match=r"may not create roles .*ecluse grants --sql"):
        grant(as_(weak, settings), {})
    with pytest.raises(WarehouseForbids, match=r"permission denied for database.* --sql"):
        grant(as_(stranger, settings), {})
    assert roles_there(warehouse, settings) == []


def test_the_owner_of_the_database_gives_what_is_his_and_says_what_is_not(
    warehouse: Warehouse, settings: Settings
) -> None:
    owner = make_login(warehouse, "owner", "createrole")
    psql(warehouse, f'alter database {warehouse.dbname} owner to "{owner.user}"')
    psql(warehouse, "create schema raw_shop; create schema marts")
    person = make_login(warehouse, "etl")
    psql(owner, "create schema staging; create table staging.t (n int)")

    def grant_() -> Granted:
        return grant(as_(owner, settings), {"transformer": [person.user]})

    done = grant_()
    assert done == grant_(), "twice is the same"
    assert done.roles["transformer"].members == [person.user]
    said = "\n".join(done.missing)
    reader, transformer = settings.role("reader"), settings.role("transformer")
    assert f"{reader} cannot read marts until its owner postgres has published again" in said
    assert f"{transformer} cannot read raw_shop until its owner postgres has loaded again" in said
    assert f"schema staging belongs to {owner.user}: members of {transformer} cannot" in said
    assert f"GRANT pg_read_all_stats TO {transformer};" in said
    assert grant(settings, {"transformer": [person.user]}).missing == []


def test_it_waits_for_a_run_at_work_and_not_for_long(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "PATIENCE", 0.3)
    told: list[str] = []
    with run_lock(warehouse, "r1"), pytest.raises(RunLocked, match="run r1"):
        grant(settings, {}, told.append)
    assert "waiting for run r1" in told[0]
    assert roles_there(warehouse, settings) == []


def test_the_command_says_who_may_do_what(
    warehouse: Warehouse, settings: Settings, project: Path
) -> None:
    person = make_login(warehouse, "bi")
    prefix = {"ECLUSE_ROLE_PREFIX": settings.role_prefix}
    told = ecluse(project, "grants", "--sql", "--pii", person.user, **prefix)
    assert told.returncode == 0, told.stderr
    assert not (project / ".warehouse").exists(), "no server was needed, none was started"
    assert told.stdout == statements(settings, {"pii": [person.user]})
    done = ecluse(project, "grants", "--pii", person.user, warehouse=warehouse, **prefix)
    assert done.returncode == 0, done.stderr
    assert f"{settings.role('loader'):24} creates and writes raw_*" in done.stdout
    assert done.stdout.count(f"members: {person.user}\n") == 2, "of reader and pii"
    shown = json.loads(ecluse(project, "grants", "--json", warehouse=warehouse, **prefix).stdout)
    assert shown["roles"]["pii"]["members"] == [person.user]
    assert (shown["roles"]["loader"]["members"], shown["missing"]) == ([], [])
    refused = ecluse(project, "grants", warehouse=person, **prefix)
    assert refused.returncode == 2
    assert "ecluse grants --sql" in refused.stderr
    assert "Traceback" not in refused.stderr
