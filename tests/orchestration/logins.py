"""Logins with passwords of their own, for tests of who may do what."""

import itertools
from dataclasses import replace

import psycopg2
from psycopg2 import sql

from orchestration.warehouse import Warehouse
from tests.databases import query

PASSWORD = " ge heim + 50% "
SEES, FORBIDDEN = "sees", "forbidden"
_numbers = itertools.count(1)


def make_login(warehouse: Warehouse, word: str, also: str = "") -> Warehouse:
    """Make a role that must show its password (see `strict_server`); it has no rights yet."""
    name = f"guest {word} {next(_numbers)}"
    with warehouse.session() as session, session.cursor() as cursor:
        command = sql.SQL("create role {} login " + also + " password {}")
        cursor.execute(command.format(sql.Identifier(name), sql.Literal(PASSWORD)))
    return replace(warehouse, user=name, password=PASSWORD)


def psql(warehouse: Warehouse, script: str) -> None:
    """What a DBA does with a script."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(script)


def trying(person: Warehouse, statement: str) -> str:
    """Whether a login may do something; undone at once."""
    session = psycopg2.connect(person.url())
    try:
        session.cursor().execute(statement)
    except psycopg2.errors.InsufficientPrivilege:
        return FORBIDDEN
    finally:
        session.close()
    return SEES


def may_select(person: Warehouse, admin: Warehouse) -> set[str]:
    """The schemas of which a login can read every table; all others must be closed to it."""
    named = (
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = relnamespace "
    )
    named += "where relkind in ('r', 'v') and nspname !~ '^(pg_|information_schema)' order by 1, 2"
    found: dict[str, set[str]] = {}
    for schema, name in query(admin, named):
        tried = trying(person, f'select from "{schema}"."{name}"')
        found.setdefault(schema, set()).add(tried)
    assert all(len(each) == 1 for each in found.values()), found
    return {schema for schema, each in found.items() if each == {SEES}}
