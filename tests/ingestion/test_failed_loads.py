"""A load that fails is a sentence; nothing of it is visible, and the next load is clean."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg2
import pytest
import requests

from ingestion.demo_api.serve import running
from ingestion.errors import RowsRejected, SourceFailed
from ingestion.load import LoadRecord, load
from ingestion.registry import find_source
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.raw import contents, current, said
from tests.ingestion.rows import make_orders

pytestmark = pytest.mark.slow

PAGE_3 = "orders?page=3&times=-1"
FAULTS = {
    f"500@{PAGE_3}": (SourceFailed, "orders, page 3 .*: the API answered 500"),
    f"drop_mid_body@{PAGE_3}": (SourceFailed, "orders, page 3 .*: the API cannot be reached"),
    f"truncated@{PAGE_3}": (SourceFailed, "orders, page 3 .*: its JSON is broken"),
    f"repeat_page@{PAGE_3}": (SourceFailed, "orders, page 3 .* the same page twice"),
    "404@supplies?times=-1": (SourceFailed, "supplies, page 1 .*: the API answered 404"),
    "unknown_column@customers?times=-1": (RowsRejected, "the contract does not know it"),
    "empty@customers?times=-1": (RowsRejected, "customers: the API sent an empty list"),
}  # fmt: skip
SET_ASIDE = {
    f"missing_key@{PAGE_3}": "orders",
    "null_key@supplies?row=4&page=1&times=-1": "supplies",
}


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with running(orders=10_000, days=32) as url:
        yield url


@pytest.fixture(scope="module")
def behind(new_database, load_into) -> Warehouse:
    """A database that holds the shop as it was two days before."""
    warehouse = new_database()
    with running(orders=10_000, days=30) as url:
        load_into(warehouse, url)
    return warehouse


@pytest.fixture
def fault(shop):
    desk = shop.removesuffix("/api/v1") + "/faults"
    yield lambda spec: requests.post(desk, json={"spec": spec}, timeout=5).raise_for_status()
    requests.delete(desk, timeout=5)


@pytest.mark.parametrize("spec", FAULTS)
def test_nothing_of_a_failed_load_is_visible(behind, load_into, shop, fault, spec):
    kind, words = FAULTS[spec]
    before = contents(behind)
    fault(spec)
    with pytest.raises(kind, match=words):
        load_into(behind, shop, page_size=20, lookback_days=20)
    assert contents(behind) == before
    assert before["orders"]


@pytest.mark.parametrize("spec", SET_ASIDE)
def test_a_broken_row_costs_no_other_one(server, behind, load_into, shop, fault, spec):
    table, warehouse = SET_ASIDE[spec], make_database(server, like=behind)
    fault(spec)
    record = load_into(warehouse, shop, page_size=20, lookback_days=20)
    assert record.rejected == {table: 1}
    found, all_of_it = current(warehouse), said(shop)
    assert len(all_of_it.pop(table) - found.pop(table)) <= 1
    del found["orders__items"], all_of_it["orders__items"]
    assert found == all_of_it


def test_the_load_after_many_failed_ones_is_complete(behind, load_into, shop):
    record = load_into(behind, shop, page_size=20)
    assert current(behind) == said(shop)
    assert record.mended == {}, "a fault of the API is found before anything is written"


def test_a_first_load_that_fails_leaves_no_table_and_the_next_one_is_complete(
    warehouse, load_into, shop, fault
):
    fault("404@supplies?times=-1")
    with pytest.raises((SourceFailed, RowsRejected)):
        load_into(warehouse, shop, page_size=20)
    assert not any(current(warehouse).values())
    requests.delete(shop.removesuffix("/api/v1") + "/faults", timeout=5)
    load_into(warehouse, shop, page_size=20)
    assert current(warehouse) == said(shop)


def test_faults_that_pass_are_in_the_record_and_cost_no_row(warehouse, load_into, shop, fault):
    for spec in ("429@orders?page=2&retry_after=0", "500@stores", "truncated@customers"):
        fault(spec)
    record = load_into(warehouse, shop, page_size=20)
    assert current(warehouse) == said(shop)
    assert len(record.retries) == 3
    assert {"orders, page 2: HTTP 429", "stores, page 1: HTTP 500"} < set(record.retries)
    assert sum(record.pages.values()) == sum(-(-rows // 20) for rows in record.received.values()), (
        "a page that was tried again counts once"
    )


def test_the_record_of_a_failed_load_holds_what_was_known(warehouse, peer, tmp_path):
    peer.tables["orders"] = make_orders("o1", "o2") + make_orders(*"345678", subtotal="-1")
    record = LoadRecord("jaffle_shop", "raw_jaffle_shop", datetime.now(UTC))
    with pytest.raises(RowsRejected) as refused:
        load(
            "jaffle_shop", warehouse.url(), tmp_path / "work", record=record, base_url=peer.url,
            page_size=500,
        )  # fmt: skip
    assert record.error == str(refused.value)
    assert record.error.startswith(f"orders, page 1 ({peer.url}/orders?page_size=500): 6 of 8")
    assert record.received["orders"] == 8
    assert record.pages["orders"] == 1
    assert (record.load_ids, record.loaded) == ([], {})
    assert record.finished_at >= record.started_at


def test_a_failed_load_leaves_its_trace_and_the_schema_too(followed, peer, load_into, tmp_path):
    del peer.tables["supplies"]
    with pytest.raises(SourceFailed, match="the API answered 404"):
        load_into(followed, peer.url, artifacts=tmp_path)
    trace = json.loads((tmp_path / "jaffle_shop.trace.json").read_text())
    assert "the API answered 404" in json.dumps(trace["steps"])
    assert "orders__items:" in (tmp_path / "jaffle_shop.schema.yaml").read_text()


def test_a_load_whose_postgres_goes_before_the_first_job_is_a_sentence(
    warehouse, peer, tmp_path, monkeypatch
):
    """dlt breaks over its own trace then."""

    def gone(*_: object) -> None:
        raise psycopg2.OperationalError("the database system is shutting down")

    monkeypatch.setattr("dlt.load.load.Load.initialize_package", gone)
    with pytest.raises(SourceFailed, match="in the step 'load': the database system is shutting"):
        load("jaffle_shop", warehouse.url(), tmp_path, tmp_path / "dlt", base_url=peer.url)
    assert (tmp_path / "dlt" / "jaffle_shop.schema.yaml").exists()


def test_no_password_is_in_anything_that_a_load_writes(
    server, warehouse, peer, load_into, tmp_path
):
    login = make_role(server, warehouse, "pg-s3cret")
    peer.login = "Basic YWRhOmFwaS1zM2NyZXQ="  # ada:api-s3cret
    base_url = f"http://ada:api-s3cret@{peer.host}/api/v1"

    written = [repr(load_into(login, base_url, artifacts=tmp_path / "good"))]
    del peer.tables["supplies"]
    with pytest.raises(SourceFailed) as failed:
        load_into(login, base_url, artifacts=tmp_path / "bad")

    written.append(str(failed.value))
    files = list(tmp_path.rglob("*.*"))
    assert len(files) == 4
    written += [each.read_text() for each in files]
    for table in ("_dlt_pipeline_state", "_dlt_version", "_dlt_loads"):
        written.append(str(query(warehouse, f"select * from raw_jaffle_shop.{table}")))
    assert all(written)
    assert "s3cret" not in "".join(written)


def make_role(server: Warehouse, warehouse: Warehouse, password: str) -> Warehouse:
    """The same database, entered by a user of its own who may create schemas in it."""
    role = f"loader_{warehouse.dbname}"
    with server.session() as session, session.cursor() as cursor:
        cursor.execute(f"create role {role} login password '{password}'")
        cursor.execute(f"grant create on database {warehouse.dbname} to {role}")
    return Warehouse(warehouse.host, warehouse.port, role, password, warehouse.dbname)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": 1}, "jaffle_shop: the load broke: connection to server"),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"user": "nobody"}, 'role "nobody" does not exist'),
    ],
)
def test_a_warehouse_that_does_not_let_us_in_is_a_sentence(warehouse, peer, tmp_path, change, said):
    parts = {"host": warehouse.host, "port": 5432, "user": "postgres", "dbname": warehouse.dbname}
    closed = Warehouse(**parts | {"password": "pg-s3cret"} | change)
    with pytest.raises(SourceFailed) as failed:
        load("jaffle_shop", closed.url(), tmp_path / "work", base_url=peer.url)
    assert said in str(failed.value)
    assert "s3cret" not in str(failed.value)
    assert peer.asked == [], "asked before the API is bothered"


def test_a_user_without_rights_gets_a_sentence(server, warehouse, peer, tmp_path):
    role = f"reader_{warehouse.dbname}"
    with server.session() as session, session.cursor() as cursor:
        cursor.execute(f"create role {role} login")
    reader = Warehouse(warehouse.host, warehouse.port, role, "", warehouse.dbname)
    with pytest.raises(SourceFailed, match="permission denied for database"):
        load("jaffle_shop", reader.url(), tmp_path / "work", base_url=peer.url)


def test_a_source_that_does_not_exist_is_answered_with_those_that_do(warehouse, tmp_path):
    sentence = "There is no source 'jafle_shop'. Sources: jaffle_shop."
    with pytest.raises(KeyError, match=sentence):
        load("jafle_shop", warehouse.url(), tmp_path / "work")
    assert not (tmp_path / "work").exists()
    assert find_source("jaffle_shop").__name__ == "jaffle_shop"


def test_an_option_that_the_source_does_not_have_is_refused(warehouse, peer, tmp_path):
    with pytest.raises((TypeError, SourceFailed), match="colour"):
        load("jaffle_shop", warehouse.url(), tmp_path / "work", base_url=peer.url, colour="red")
