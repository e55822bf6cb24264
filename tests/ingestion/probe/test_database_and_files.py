"""A database's catalogue and the rows of files say what their tables are."""

import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe.database import look_at_database
from ingestion.probe.files import look_at_files
from ingestion.probe.found import Resource, Since, Wish
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query

ORDERS = """
create schema shop; create table shop.orders (
    id uuid primary key default gen_random_uuid(), amount numeric(12, 2), rate numeric, level real,
    placed date, updated_at timestamptz not null default now(), extra jsonb, tags text[],
    paid boolean not null default true, "Who Is" text, email text);
insert into shop.orders (amount, rate, tags) values (1.5, 0.1234567890, '{a,b}'), (null, 2, null);
create table shop.pairs (a int not null, b int not null, n bigint, unique (a, b));
insert into shop.pairs values (1, 1, 9007199254740993), (1, 2, null); select 1
"""


def types(resource: Resource) -> dict[str, str]:
    return {column.name: column.type for column in resource.contract.columns}


@pytest.fixture
def shop(server: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    made = make_database(server)
    query(made, ORDERS)
    url = made.sqlalchemy_url()
    login, _, place = url.partition("://")[2].partition("@")
    monkeypatch.setenv("SOURCES__SHOP__PASSWORD", login.partition(":")[2])
    yield f"postgresql://{login.partition(':')[0]}@{place}"


def test_a_postgres_says_types_keys_and_what_changed(shop: str) -> None:
    found = look_at_database(Wish(shop, ("shop.orders", "shop.pairs")), "shop", lambda said: None)
    orders, pairs = found.resources
    assert types(orders) == {
        "id": "text", "amount": "decimal", "rate": "decimal", "level": "float", "placed": "date",
        "updated_at": "timestamp", "extra": "json", "tags": "json", "paid": "boolean",
        "who_is": "text", "email": "text",
    }  # fmt: skip
    columns = {column.name: column for column in orders.contract.columns}
    assert columns["amount"].digits == (12, 2)
    assert columns["updated_at"].zoned
    assert columns["email"].pii
    assert not columns["paid"].nullable
    assert (orders.contract.key, pairs.contract.key) == (("id",), ("a", "b"))
    assert orders.since == Since("updated_at", "", "timestamp")
    assert (found.secrets, "secret" in found.url) == ({"password": "password"}, False)


def test_sqlite_keeps_anything_anywhere_and_is_not_believed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as made:
        made.execute("create table t (id integer primary key, n integer, free, at datetime)")
        rows = [(1, 5, 1.5, "2024-01-01 08:00:00.000000"), (2, "five", 2, None)]
        made.executemany("insert into t values (?, ?, ?, ?)", rows)
    (table,) = look_at_database(
        Wish(f"sqlite:///{tmp_path}/x.db"), "x", lambda said: None
    ).resources
    assert types(table) == {"id": "whole", "n": "json", "free": "float", "at": "timestamp"}
    assert table.contract.key == ("id",)
    with pytest.raises(SourceFailed, match="no tables"):
        look_at_database(Wish(f"sqlite:///{tmp_path}/y.db"), "x", lambda said: None)
    with pytest.raises(WrongSetting, match="Leave the password out"):
        look_at_database(Wish("postgresql://me:secret@h/db"), "x", lambda said: None)


def test_files_that_differ_by_a_number_are_one_table(tmp_path: Path) -> None:
    for day in (1, 2):
        text = f'id,zip,price,ok,note\n{day},0123{day},1.5,true,\n1{day},45678,2,false,""\n'
        (tmp_path / f"orders_2024-01-0{day}.csv").write_text(text)
    frame = pl.DataFrame({"sku": ["a", "b"], "n": [1, None], "x": [0.1, 2.0]})
    frame.write_parquet(tmp_path / "stock.parquet")
    lines = "".join(json.dumps({"id": n, "in": {"b": n}, "l": [n]}) + "\n" for n in range(3))
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "notes.txt").write_text("no table")
    found = look_at_files(Wish(str(tmp_path)), lambda said: None)
    assert {each.contract.table: each.path for each in found.resources} == {
        "events": "events.jsonl.gz", "orders": "orders_[0-9]*.csv", "stock": "stock.parquet",
    }  # fmt: skip
    events, orders, stock = found.resources
    assert types(orders) == {
        "id": "whole", "zip": "text", "price": "decimal", "ok": "boolean", "note": "text",
    }  # fmt: skip
    assert (orders.contract.key, orders.total) == (("id",), 4)
    assert types(stock) == {"sku": "text", "n": "whole", "x": "float"}
    assert types(events) == {"id": "whole", "in__b": "whole"}
    assert [child.table for child in events.contract.nested()] == ["events__l"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceFailed, match="no files"):
        look_at_files(Wish(str(tmp_path / "empty")), lambda said: None)
