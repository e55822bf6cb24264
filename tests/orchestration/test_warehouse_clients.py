"""Every derived form really connects: the same warehouse for psycopg2, pandas, dlt, dbt, psql."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.embedded import EmbeddedServer, binary
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse, open_warehouse, parse_url
from tests.databases import query
from tests.newcomer import settings_for
from tests.orchestration.conftest import Guests
from tests.orchestration.door import tcp_door

WHO = "select current_user || ' in ' || current_database()"
NASTY = "p@ss:w/o?r#d %&='\"+$`\\é"


def by_psycopg2(warehouse: Warehouse) -> str:
    return query(warehouse, WHO.replace("%", "%%"))[0][0]


def by_psycopg2_url(warehouse: Warehouse) -> str:
    import psycopg2

    session = psycopg2.connect(warehouse.url())
    with session, session.cursor() as cursor:
        cursor.execute(WHO)
        found = cursor.fetchone()[0]
    session.close()
    return found


def by_sqlalchemy(warehouse: Warehouse) -> str:
    from sqlalchemy import create_engine, text

    engine = create_engine(warehouse.sqlalchemy_url())
    with engine.connect() as session:
        found = session.execute(text(WHO)).scalar_one()
    engine.dispose()
    return found


def by_pandas(warehouse: Warehouse) -> str:
    import pandas as pd
    from sqlalchemy import create_engine

    engine = create_engine(warehouse.environment()["ECLUSE_SQLALCHEMY_URL"])
    frame = pd.read_sql(f"{WHO} as who", engine)
    engine.dispose()
    return frame["who"].iloc[0]


def by_dlt(warehouse: Warehouse) -> str:
    import dlt

    url = warehouse.environment()["DESTINATION__POSTGRES__CREDENTIALS"]
    destination = dlt.destinations.postgres(url)
    from dlt.destinations.impl.postgres.configuration import PostgresCredentials
    from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

    credentials = PostgresCredentials(url)
    client = Psycopg2SqlClient("public", "public", credentials, destination.capabilities())
    with client:
        return client.execute_sql(WHO)[0][0]


def by_adbc(warehouse: Warehouse) -> str:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(warehouse.url()) as session, session.cursor() as cursor:
        cursor.execute(WHO)
        return cursor.fetchone()[0]


def by_psql(warehouse: Warehouse) -> str:
    done = subprocess.run(
        [binary("psql"), "-XAtc", WHO], env=warehouse.environment(), check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


CLIENTS = [by_psycopg2, by_psycopg2_url, by_sqlalchemy, by_pandas, by_dlt, by_adbc, by_psql]


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An embedded server whose socket lies in a folder with spaces and more."""
    home = tmp_path_factory.mktemp("a b") / "1 + 50 & #2"
    server = EmbeddedServer(home)
    server.start()
    yield Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres")
    server.stop()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_finds_the_embedded_server_of_a_clone_with_spaces(
    client: Callable[[Warehouse], str], awkward: Warehouse
) -> None:
    assert client(awkward) == "postgres in postgres"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_logs_in_over_tcp_with_a_nasty_password(
    client: Callable[[Warehouse], str], guest: Guests
) -> None:
    with tcp_door(guest(NASTY)) as warehouse:
        assert client(warehouse) == f"{warehouse.user} in {warehouse.dbname}"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_finds_a_host_by_its_ipv6_address(
    client: Callable[[Warehouse], str], warehouse: Warehouse
) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    with tcp_door(warehouse, "::1") as door:
        assert client(door) == f"postgres in {warehouse.dbname}"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_finds_a_database_with_an_odd_name(
    client: Callable[[Warehouse], str], server: Warehouse
) -> None:
    name = "shop & co/50% ü"
    if not query(server, "select 1 from pg_database where datname = %s", name):
        with server.session() as session, session.cursor() as cursor:
            cursor.execute(f'create database "{name}"')
    assert client(replace(server, dbname=name)) == f"postgres in {name}"


@pytest.mark.parametrize("client", [by_psycopg2, by_psql, by_sqlalchemy, by_dlt])
def test_a_sslmode_that_the_server_cannot_meet_is_not_quietly_dropped(
    client: Callable[[Warehouse], str], guest: Guests
) -> None:
    with tcp_door(guest()) as door, pytest.raises(Exception, match=r"SSL|returned non-zero"):
        client(replace(door, sslmode="require"))


@pytest.mark.slow
def test_plain_dbt_finds_the_warehouse_by_the_exported_variables(
    guest: Guests, tmp_path: Path
) -> None:
    with tcp_door(guest("geheim & mehr")) as warehouse:
        said = dbt_debug(warehouse, tmp_path)
    assert "All checks passed!" in said
    assert f"user: {warehouse.user}" in said


def test_plain_dbt_finds_the_embedded_server_too(awkward: Warehouse, tmp_path: Path) -> None:
    assert "All checks passed!" in dbt_debug(awkward, tmp_path)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def dbt_debug(warehouse: Warehouse, tmp_path: Path) -> str:
    """What `dbt debug` prints, in this process: importing dbt takes longer than the rest."""
    from click.testing import CliRunner
    from dbt.cli.main import cli

    logs = ["--log-path", str(tmp_path)]
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    variables = {"PATH": os.environ["PATH"], **warehouse.environment()}
    found = CliRunner().invoke(cli, ["debug", *places, *logs], env=variables)
    return found.output


def test_opening_a_url_gives_a_warehouse_that_answers(warehouse: Warehouse, tmp_path: Path) -> None:
    assert open_warehouse(settings_for(tmp_path, warehouse)) == parse_url(warehouse.url())
