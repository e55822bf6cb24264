"""Forgetting on purpose: what is shown is what goes, and no kept version needs any of it."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg2
import pytest

from ingestion.registry import SOURCES
from orchestration import steps
from orchestration.console import Console
from orchestration.errors import ConfigurationError, WarehouseForbids
from orchestration.history.compactions import in_words, oldest_replayable
from orchestration.records import RunRecord
from orchestration.run import recorded_run
from orchestration.settings import Settings
from orchestration.steps.compact import Plan, look
from orchestration.warehouse import Warehouse
from orchestration.workflow import execute
from tests.databases import query
from tests.newcomer import copy_project, ecluse, environment, settings_for
from tests.orchestration.conftest import Guests
from tests.orchestration.marts import build, release, switch

pytestmark = pytest.mark.slow  # a dbt command each
LATER = date(2026, 2, 1)
# A shop of which an order and a customer change with every load, as dlt would have left it.
RAW = """
create schema raw_jaffle_shop; set search_path = raw_jaffle_shop;
create table _dlt_loads (load_id text, status bigint, inserted_at timestamptz);
create table orders (id text, subtotal bigint, _dlt_load_id text, _dlt_id text);
create table orders__items (id text, _dlt_load_id text, _dlt_id text, _dlt_parent_id text);
create table customers (id text, name text, _dlt_load_id text, _dlt_id text,
    _dlt_valid_from timestamptz, _dlt_valid_to timestamptz);
create table products (like customers); alter table products rename id to sku
"""
LOAD = """
set search_path = raw_jaffle_shop;
insert into _dlt_loads values ('{load}', 0, to_timestamp({load}) + interval '3 s');
insert into orders values ('o', {n}, '{load}', 'order {n}'), ('o{n}', 1, '{load}', 'new {n}');
insert into orders__items values ('i', '{load}', 'i{n}', 'order {n}'),
    ('j', '{load}', 'j{n}', 'order {n}'), ('k', '{load}', 'k{n}', 'new {n}');
update customers set _dlt_valid_to = to_timestamp({load}) where _dlt_valid_to is null;
update products set _dlt_valid_to = to_timestamp({load}) where _dlt_valid_to is null;
insert into customers values ('c', 'name {n}', '{load}', 'c{n}', to_timestamp({load}));
insert into products values ('p', 'name {n}', '{load}', 'p{n}', to_timestamp({load}));
"""


def load_id(day: int) -> str:
    """The load of that day of January 2026, at noon."""
    return f"{1767268800 + (day - 1) * 86400}.5"


class Shop:
    """A project, its warehouse, and a load a day."""

    def __init__(self, root: Path, warehouse: Warehouse) -> None:
        self.root, self.warehouse = root, warehouse
        self.run(RAW)

    @property
    def settings(self) -> Settings:
        return settings_for(self.root, self.warehouse)

    def run(self, sql: str) -> None:
        with self.warehouse.session() as session, session.cursor() as cursor:
            cursor.execute(sql)

    def load(self, *days: int) -> None:
        for day in days:
            self.run(LOAD.format(load=load_id(day), n=day))

    def publish(self, day: int, keep: int = 2) -> None:
        """A load, and a version built from it."""
        self.load(day)
        release(self.warehouse, day, keep=keep)

    def look(self, before: date = LATER) -> Plan:
        return look(self.settings, before)

    def compact(self, before: date = LATER, shown: Plan | None = None) -> RunRecord:
        with recorded_run(self.settings, "compact", Console(quiet=True)) as run:
            execute(steps.compaction(run, before, shown), run.record, run.changed)
        return run.record

    def counts(self) -> dict[str, int]:
        tables = ("orders", "orders__items", "customers", "products")
        return {table: query(self.warehouse, f"select count(*) from raw_jaffle_shop.{table}")[0][0]
                for table in tables}  # fmt: skip

    def entered(self) -> list[tuple]:
        return query(self.warehouse, "select before_load, tables from ops.compactions order by 1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for all: dbt parses it once."""
    return copy_project(tmp_path_factory.mktemp("compact") / "clone")


@pytest.fixture
def shop(root: Path, warehouse: Warehouse) -> Shop:
    return Shop(root, warehouse)


def gone(plan: Plan) -> dict[str, int]:
    return {table.partition(".")[2]: rows for table, rows in plan.counts.items() if rows}


def test_what_no_kept_version_needs_is_shown_and_not_yet_removed(shop: Shop) -> None:
    for day in (1, 2, 3, 4):
        shop.publish(day)
    before = shop.counts()
    plan = shop.look()
    assert plan.sources[0].cut_off
    assert plan.sources[0].cut_off.load_id == load_id(3), "version 3 is kept"
    assert gone(plan) == {"orders": 2, "orders__items": 4, "customers": 2}
    assert list(in_words(plan)) == [
        f"jaffle_shop: history from before load {load_id(3)} of 2026-01-03 12:00 UTC",
        "  customers                           2 rows go            2 stay",
        "  orders                              2 rows go            6 stay",
        "  orders__items                       4 rows go            8 stay",
        "  products                 left alone: its history is read (meta: history: needed)",
        "support: no load is old enough",
        "more could go but for version 3 (kept), which was built from an older load",
    ]
    assert shop.counts() == before
    assert query(shop.warehouse, "select count(*) from ops.compactions") == [(0,)]


def test_exactly_what_was_shown_is_removed_and_entered(shop: Shop) -> None:
    for day in (1, 2, 3, 4):
        shop.publish(day)
    before, plan = shop.counts(), shop.look()
    record = shop.compact(shown=plan)
    assert {table: n - shop.counts()[table] for table, n in before.items()} == gone(plan) | {
        "products": 0
    }
    assert (record.kind, record.status) == ("compact", "passed")
    said = "removed 8 rows (jaffle_shop.customers 2, jaffle_shop.orders 2, "
    assert record.steps[0].detail == said + "jaffle_shop.orders__items 4)"
    assert shop.entered() == [(load_id(3), {"orders": 2, "orders__items": 4, "customers": 2})]
    with shop.warehouse.session() as session:
        assert oldest_replayable(session) == load_id(3)
    shop.compact()
    assert len(shop.entered()) == 1, "nothing was left to remove, so nothing is entered"
    assert not any(shop.look().counts.values())


def test_a_load_of_the_day_itself_is_not_before_the_day(shop: Shop) -> None:
    shop.load(1, 2, 3)
    for day, cut_off in ((1, None), (2, load_id(1)), (3, load_id(2)), (31, load_id(3))):
        found = shop.look(date(2026, 1, day)).sources[0].cut_off
        assert (found.load_id if found else None) == cut_off
    said = list(in_words(shop.look(date(2026, 1, 1))))
    assert said == [f"{source}: no load is old enough" for source in SOURCES]
    with shop.warehouse.session() as session:
        assert oldest_replayable(session) is None


def test_what_waits_to_be_published_is_kept_whole_and_what_failed_its_tests_is_not(
    shop: Shop,
) -> None:
    shop.publish(1, keep=1)
    shop.load(2)
    build(shop.warehouse, 2)
    switch(shop.warehouse, keep=1)
    shop.load(3)
    build(shop.warehouse, 3)
    query(shop.warehouse, "update ops.versions set watermark = %s where run_id = 'run-3' "
          "returning 1", load_id(1))  # fmt: skip
    assert shop.look().held_by == ("3 (tested)",)
    assert gone(shop.look()) == {}
    query(shop.warehouse, "update ops.versions set tested_at = null where run_id = 'run-3' "
          "returning 1")  # fmt: skip
    assert shop.look().held_by == ("2 (live)",)
    assert gone(shop.look())["customers"] == 1


def test_a_version_whose_loads_are_unknown_forbids_it_and_says_what_to_do(shop: Shop) -> None:
    shop.run("create schema marts; create table marts.orders as select 1 as id")
    shop.load(1, 2)
    said = r"loads version 1 \(live\) was built.* `\.venv/bin/ecluse run` until"
    with pytest.raises(ConfigurationError, match=said):
        shop.look()
    with pytest.raises(ConfigurationError, match=said):
        shop.compact()
    assert shop.counts()["customers"] == 2
    shop.publish(3, keep=1)
    assert gone(shop.look())["customers"] == 2


def test_nothing_is_removed_if_it_would_be_more_than_was_shown(shop: Shop) -> None:
    for day in (1, 2, 3):
        shop.publish(day)
    shown, before = shop.look(), shop.counts()
    shop.publish(4)  # drops version 2, which held things back
    with pytest.raises(ConfigurationError, match="More would be removed now than was shown"):
        shop.compact(shown=shown)
    assert shop.counts()["customers"] == before["customers"] + 1
    assert shop.entered() == []


def test_a_source_is_compacted_whole_or_not_at_all(shop: Shop) -> None:
    shop.load(1, 2, 3)
    before = shop.counts()
    shop.run("create function no() returns trigger language plpgsql as "
             "$$ begin raise exception 'not this one'; end $$; create trigger t "
             "before delete on raw_jaffle_shop.orders execute function no()")  # fmt: skip
    with pytest.raises(psycopg2.Error, match="not this one"):
        shop.compact()
    assert shop.counts() == before
    assert shop.entered() == []


def test_it_is_removed_with_the_login_that_owns_raw(shop: Shop, guest: Guests) -> None:
    shop.load(1, 2, 3)
    person = guest()
    for grant in (f"create on database {shop.warehouse.dbname}", "usage on schema raw_jaffle_shop",
                  "select on all tables in schema raw_jaffle_shop"):  # fmt: skip
        shop.run(f'grant {grant} to "{person.user}"')
    loader = shop.warehouse.url()
    shop.warehouse = person
    with pytest.raises(WarehouseForbids, match="permission denied for table customers"):
        shop.compact()
    settings = replace(shop.settings, loader_url=loader)
    with recorded_run(settings, "compact", Console(quiet=True)) as run:
        execute(steps.compaction(run, LATER, None), run.record, run.changed)
    assert shop.counts()["customers"] == 1


def ask(shop: Shop, answer: str) -> str:
    """`ecluse compact` for somebody at a terminal."""
    terminal, end = pty.openpty()
    os.write(terminal, answer.encode())
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "compact", "--before", str(LATER)], cwd=shop.root,
        env=environment(shop.root, shop.warehouse, {}), stdin=end, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    os.close(end)
    os.close(terminal)
    return done.stdout


def test_at_a_terminal_it_asks(shop: Shop) -> None:
    shop.load(1, 2, 3)
    said = ask(shop, "n\n")
    assert "customers                           2 rows go            1 stay" in said
    assert "Remove these rows for good? [y/N]" in said
    assert shop.counts()["customers"] == 3
    assert "removed 8 rows" in ask(shop, "y\n")
    assert shop.counts()["customers"] == 1
    assert "There is nothing to remove." in ask(shop, "")


def test_a_script_must_say_yes(shop: Shop) -> None:
    shop.load(1, 2, 3)
    args = ("compact", "--before", str(LATER))
    done = ecluse(shop.root, *args, warehouse=shop.warehouse)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Nothing was removed: --yes does it.\n")
    shown = json.loads(ecluse(shop.root, *args, "--json", warehouse=shop.warehouse).stdout)
    assert shown["sources"][0]["tables"]["customers"] == [2, 1]
    assert shop.counts()["customers"] == 3
    done = ecluse(shop.root, *args, "--yes", "--json", warehouse=shop.warehouse)
    record = json.loads(done.stdout)
    assert (record["kind"], record["status"], record["exit_code"]) == ("compact", "passed", 0)
    assert "  products" not in done.stderr
    assert any("products" in note for note in record["notes"])
    assert shop.counts()["customers"] == 1
    done = ecluse(shop.root, "compact", warehouse=shop.warehouse)
    assert done.returncode == 2, "--before is required"
