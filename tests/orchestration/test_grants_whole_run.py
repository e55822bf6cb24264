"""The whole pipe with two logins that may do little, after a DBA has run one script."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestration.dead_runs import WORKER
from orchestration.embedded import binary
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse, environment
from tests.orchestration.logins import (
    FORBIDDEN,
    PASSWORD,
    SEES,
    make_login,
    may_select,
    psql,
    trying,
)
from tests.orchestration.small import MODELS

pytestmark = pytest.mark.long
ROLES = ("loader", "transformer", "reader", "pii")
NEW_MART = "select product_id from {{ ref('products') }}\n"
NEW_MODEL = """
models:
  - name: prices
    columns:
      - {name: product_id, data_type: text}
"""
NAMES = "select distinct customer_name from marts.customers"


@dataclass(frozen=True)
class Place:
    """A project, its warehouse, and everybody who comes there."""

    root: Path
    admin: Warehouse
    people: dict[str, Warehouse]
    variables: dict[str, str]

    def ecluse(self, *args: str, code: int = 0) -> str:
        done = ecluse(self.root, *args, warehouse=self.people["transformer"], **self.variables)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD.strip() not in done.stdout + done.stderr
        return done.stdout

    @property
    def logins(self) -> list[str]:
        """Everybody, as options of `ecluse grants`."""
        return [part for name in ROLES for part in (f"--{name}", self.people[name].user)]

    def mart_is_open(self, name: str) -> bool:
        return trying(self.people["reader"], f"select from marts.{name}") == SEES


def new_place(server: Warehouse, api: str, root: Path) -> Place:
    """An empty database, and four logins that may do nothing yet."""
    admin = make_database(server)
    people = {name: make_login(admin, name) for name in ROLES}
    variables = {
        "ECLUSE_ROLE_PREFIX": f"whole_{admin.dbname}",
        "ECLUSE_LOADER_URL": people["loader"].url(),
        "SOURCES__JAFFLE_SHOP__BASE_URL": api,
    }
    return Place(copy_project(root), admin, people, variables)


@pytest.fixture(scope="module")
def place(strict_server: Warehouse, api: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """After the first run of a transformer and a loader."""
    found = new_place(strict_server, api, tmp_path_factory.mktemp("least") / "clone")
    script = ecluse(found.root, "grants", "--sql", *found.logins, **found.variables).stdout
    command = [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(
        command, input=script, env=found.admin.environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(found.ecluse("run", "--json"))["notes"] == []
    return found


def test_everybody_sees_what_is_his_after_the_first_run(place: Place) -> None:
    assert {name: may_select(person, place.admin) for name, person in place.people.items()} == {
        "loader": {"raw_jaffle_shop", "raw_jaffle_shop_loading", "raw_support"},
        "transformer": {
            "raw_jaffle_shop", "raw_jaffle_shop_loading", "raw_support", "staging", "intermediate",
            "marts", "marts__v1__clear", "ops", "quarantine",
        },
        "reader": {"marts"},
        "pii": {"marts"},
    }  # fmt: skip
    assert query(place.people["reader"], NAMES) == [("***",)]
    assert len(query(place.people["pii"], NAMES)) > 1
    owners = "select distinct pg_get_userbyid(relowner) from pg_class "
    owners += "where relnamespace = '{}'::regnamespace"
    for schema, owner in (("raw_jaffle_shop", "loader"), ("marts", "transformer")):
        assert query(place.admin, owners.format(schema)) == [(place.people[owner].user,)]


@pytest.mark.parametrize(
    ("statement", "whose"),
    [
        ("insert into raw_jaffle_shop.stores select * from raw_jaffle_shop.stores", {"loader"}),
        ("delete from raw_jaffle_shop.stores", {"loader"}),
        ("create table raw_jaffle_shop.mine (n int)", {"loader"}),
        ("create schema raw_mine", {"loader", "transformer"}),
        ("create table marts.mine (n int)", {"transformer"}),
        ("create table staging.mine (n int)", {"transformer"}),
        ("delete from marts.stores", {"transformer"}),
        ("update ops.runs set reason = 'me'", {"transformer"}),
        ("select customer_name from marts__v1__clear.customers", {"transformer"}),
    ],
)
def test_who_may_do_it(place: Place, statement: str, whose: set[str]) -> None:
    found = {name for name, who in place.people.items() if trying(who, statement) != FORBIDDEN}
    assert found == whose


def test_rights_travel_with_every_later_version(place: Place) -> None:
    """The second run; a deployment of a new mart; back and forth; replay; compaction."""
    place.ecluse("run")
    models = place.root / "dbt_project" / "models" / "marts" / "catalogue"
    (models / "prices.sql").write_text(NEW_MART)
    (models / "_prices.yml").write_text(NEW_MODEL)
    assert "1 models" in place.ecluse("deploy")
    assert place.mart_is_open("prices")
    assert place.mart_is_open("orders"), "one that was copied"
    for command in (("rollback",), ("rollback", "--to", "3")):
        place.ecluse(*command)
        assert may_select(place.people["reader"], place.admin) == {"marts"}
        assert query(place.people["reader"], NAMES) == [("***",)]
        assert len(query(place.people["pii"], NAMES)) > 1
    assert "identical" in place.ecluse("replay", "3")
    assert "removed" in place.ecluse("compact", "--before", "2100-01-01", "--yes")
    place.ecluse("diff", "live", "previous")


def test_what_a_killed_loader_has_at_work_is_ended_with_its_own_login(place: Place) -> None:
    with place.people["loader"].session(WORKER) as dead, dead.cursor() as cursor:
        cursor.execute("begin; lock table raw_jaffle_shop.stores in access exclusive mode")
        notes = json.loads(place.ecluse("ingest", "--json"))["notes"]
    assert notes == ["sessions that a dead run had left at work in Postgres were ended: 1"]


def test_a_signal_cancels_the_statement_of_a_login_that_may_end_nobody_elses(
    place: Place,
) -> None:
    sleeper = place.root / "dbt_project" / "models" / "marts" / "catalogue" / "sleeper.sql"
    sleeper.write_text("select 1 as id, 2 as amount from pg_sleep(30)\n")
    (sleeper.with_name("_sleeper.yml")).write_text(
        MODELS.partition("unit_tests:")[0].replace("name: orders", "name: sleeper")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "deploy"], cwd=place.root, text=True,
        env=environment(place.root, place.people["transformer"], place.variables),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    asleep = "select count(*) from pg_stat_activity where state = 'active' "
    asleep += "and datname = current_database() and query like '%pg_sleep(30)%' "
    asleep += "and pid <> pg_backend_pid()"
    try:
        deadline = time.monotonic() + 60
        while query(place.admin, asleep) == [(0,)]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 143, said
        assert "Traceback" not in said
        assert query(place.admin, asleep) == [(0,)]
    finally:
        process.kill()
        process.wait()
        sleeper.unlink()
        sleeper.with_name("_sleeper.yml").unlink()


def test_a_wrong_password_of_the_loader_names_its_variable(place: Place) -> None:
    wrong = replace(place.people["loader"], password="wrong").url()
    place.variables["ECLUSE_LOADER_URL"], right = wrong, place.variables["ECLUSE_LOADER_URL"]
    done = ecluse(place.root, "ingest", warehouse=place.people["transformer"], **place.variables)
    place.variables["ECLUSE_LOADER_URL"] = right
    assert done.returncode == 2
    assert "Check ECLUSE_LOADER_URL" in done.stderr


def test_marts_from_before_the_roles_are_opened_by_the_next_publication(place: Place) -> None:
    reader = place.people["reader"]
    role = place.variables["ECLUSE_ROLE_PREFIX"] + "_reader"
    psql(place.admin, f"revoke usage on schema marts from {role}")
    assert may_select(reader, place.admin) == set()
    place.ecluse("run")
    assert may_select(reader, place.admin) == {"marts"}


def test_a_warehouse_that_one_login_did_everything_in_is_taken_over(
    strict_server: Warehouse, api: str, tmp_path: Path
) -> None:
    place = new_place(strict_server, api, tmp_path / "clone")
    alone = {n: v for n, v in place.variables.items() if n != "ECLUSE_LOADER_URL"}
    done = ecluse(place.root, "run", warehouse=place.admin, **alone)
    assert done.returncode == 0, done.stderr
    refused = ecluse(place.root, "run", warehouse=place.people["transformer"], **alone)
    assert refused.returncode == 2
    assert "permission denied for schema ops" in refused.stderr
    done = ecluse(place.root, "grants", *place.logins, "--json", warehouse=place.admin, **alone)
    assert json.loads(done.stdout)["missing"] == [], done.stderr
    assert query(place.people["reader"], NAMES) == [("***",)], "at once"
    assert "no model differs" in place.ecluse("deploy"), "a role is no change of the code"
    assert json.loads(place.ecluse("run", "--json"))["notes"] == []
    place.ecluse("rollback")
    assert may_select(place.people["reader"], place.admin) == {"marts"}
    assert len(query(place.people["pii"], NAMES)) > 1
