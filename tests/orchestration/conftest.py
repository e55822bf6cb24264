"""What the orchestrator's tests share: somebody who is not root, guests of the server."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2 import sql

from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.users import OrdinaryUser, ordinary_user

_numbers = itertools.count(1)
Guests = Callable[..., Warehouse]


@pytest.fixture(scope="session")
def user() -> Iterator[OrdinaryUser]:
    """An ordinary user: ourselves, or a throw-away account when we are root."""
    with ordinary_user() as found:
        yield found


@pytest.fixture(scope="session")
def strict_server(server: Warehouse) -> Warehouse:
    """The shared server; roles whose name begins with `guest` must show their password."""
    hba = Path(server.host).parent / "postgres" / "pg_hba.conf"
    rule = 'local all "/^guest" scram-sha-256\n'
    hba.write_text(rule + hba.read_text())
    query(server, "select pg_reload_conf()")
    return server


@pytest.fixture
def guest(strict_server: Warehouse, warehouse: Warehouse) -> Guests:
    """Makes a role with a password, which may connect to the test's database and do no more."""

    def make(password: str = "geheim") -> Warehouse:  # noqa: S107 - made up
        name = f"guest {next(_numbers)}"
        with strict_server.session() as session, session.cursor() as cursor:
            command = sql.SQL("create role {} login password {}")
            cursor.execute(command.format(sql.Identifier(name), sql.Literal(password)))
        return replace(warehouse, user=name, password=password)

    return make
