"""A warehouse that does not let us in, or not far enough: one sentence, exit 2, no password."""

from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from orchestration.errors import (
    ConfigurationError,
    WarehouseForbids,
    WarehouseLost,
    WarehouseUnreachable,
)
from orchestration.warehouse import Warehouse, open_warehouse
from tests.databases import query
from tests.newcomer import ecluse, settings_for
from tests.orchestration.conftest import Guests
from tests.orchestration.door import tcp_door

SECRET = "sehr geheim"


def refusal(warehouse: Warehouse) -> str:
    with pytest.raises(WarehouseUnreachable) as caught, warehouse.session():
        pass
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None, "what psycopg2 said is in the sentence, once"
    return str(caught.value)


@pytest.fixture
def closed_port(warehouse: Warehouse) -> int:
    """A port where something listened a moment ago."""
    with tcp_door(warehouse) as door:
        return door.port


def test_a_wrong_password_is_refused_without_showing_it(guest: Guests) -> None:
    with tcp_door(replace(guest(), password=SECRET)) as wrong:
        said = refusal(wrong)
    assert "password authentication failed" in said
    assert "Check ECLUSE_WAREHOUSE_URL" in said
    assert SECRET not in said


def test_a_missing_database_is_named(server: Warehouse) -> None:
    said = refusal(replace(server, dbname="no_such_database", password=SECRET))
    assert 'database "no_such_database" does not exist' in said
    assert SECRET not in said


def test_an_unknown_user_is_named(server: Warehouse) -> None:
    assert 'role "stranger" does not exist' in refusal(replace(server, user="stranger"))


def test_a_port_where_nothing_listens_is_named(closed_port: int) -> None:
    said = refusal(Warehouse("127.0.0.1", closed_port, "u", SECRET, "d"))
    assert f"d on 127.0.0.1:{closed_port} as u" in said
    assert "refused" in said
    assert SECRET not in said


def test_a_host_without_an_address_is_named() -> None:
    assert "nowhere.invalid" in refusal(Warehouse("nowhere.invalid", 5432, "u", SECRET, "d"))


def test_an_unknown_sslmode_is_refused_with_its_name(server: Warehouse) -> None:
    assert 'invalid sslmode value: "perhaps"' in refusal(replace(server, sslmode="perhaps"))


def test_a_server_that_is_too_old_is_refused_with_its_version(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.warehouse.OLDEST_SERVER", 990000)  # ours is too old now
    with pytest.raises(ConfigurationError, match="is version 18: Écluse needs 14 or later"):
        open_warehouse(settings_for(tmp_path, warehouse))


def test_a_user_without_the_right_to_create_gets_the_grant_to_ask_for(guest: Guests) -> None:
    warehouse = guest()
    with pytest.raises(WarehouseForbids) as caught, warehouse.session() as session:
        session.cursor().execute("create schema ops")
    assert caught.value.exit_code == 2
    assert "permission denied for database" in str(caught.value)
    grant = f'GRANT CREATE ON DATABASE "{warehouse.dbname}" TO "{warehouse.user}";'
    assert grant in str(caught.value)


def test_the_grant_that_the_sentence_names_is_enough(guest: Guests, warehouse: Warehouse) -> None:
    weak = guest()
    with pytest.raises(WarehouseForbids) as caught, weak.session() as session:
        session.cursor().execute("create schema ops")
    query(warehouse, str(caught.value).partition("run: ")[2] + " select 1")
    with weak.session() as session:
        session.cursor().execute("create schema ops")


def test_a_missing_right_on_a_table_is_not_mistaken_for_the_right_to_create(
    guest: Guests, warehouse: Warehouse
) -> None:
    query(warehouse, "create schema ops; create table ops.runs (n int); select 1")
    with pytest.raises(WarehouseForbids, match="permission denied for schema ops") as caught:
        query(guest(), "select * from ops.runs")
    assert "GRANT CREATE ON DATABASE" not in str(caught.value)


def test_a_run_of_a_user_without_rights_ends_with_exit_2_and_a_record(
    guest: Guests, project: Path
) -> None:
    weak = guest(SECRET)
    done = ecluse(project, "ingest", warehouse=weak)
    assert done.returncode == 2
    assert "GRANT CREATE ON DATABASE" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    shown = ecluse(project, "runs", "show", "latest", warehouse=weak)
    assert "broken" in shown.stdout
    assert "GRANT CREATE ON DATABASE" in shown.stdout


def test_a_cut_connection_is_told_as_one_also_where_psycopg2_takes_it_for_open(
    warehouse: Warehouse,
) -> None:
    words = "server closed the connection unexpectedly\n\tThis probably means"
    with pytest.raises(WarehouseLost, match="went away"), warehouse.session():
        raise psycopg2.DatabaseError(words)
    with pytest.raises(psycopg2.DatabaseError, match="deadlock"), warehouse.session():
        raise psycopg2.DatabaseError("deadlock detected")


@pytest.mark.parametrize("command", [["env"], ["psql", "-c", "select 1"], ["run"], ["docs"]])
def test_every_command_says_that_the_warehouse_is_unreachable(
    command: list[str], project: Path, closed_port: int
) -> None:
    nowhere = Warehouse("127.0.0.1", closed_port, "u", SECRET, "d")
    done = ecluse(project, *command, warehouse=nowhere)
    assert done.returncode == 2
    assert "does not let us in" in done.stderr
    assert done.stderr.count("Check ECLUSE_WAREHOUSE_URL") == 1
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_url_that_is_none_ends_with_exit_2(project: Path) -> None:
    done = ecluse(project, "run", ECLUSE_WAREHOUSE_URL=f"mysql://u:{SECRET}@h/d")
    assert done.returncode == 2
    assert "postgresql://user:password@host:5432/database" in done.stderr
    assert SECRET not in done.stdout + done.stderr
