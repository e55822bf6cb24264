"""The whole pipe as its users run it: load, load again, break, mend. A database for each story."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse, own_desk

pytestmark = pytest.mark.slow

ORDERS, FIRST_DAY = 60_000, 30
NAME = "shop"  # of every warehouse that is run on: dbt keeps its parse
MARTS = [path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("end to end") / "clone")


@pytest.fixture(scope="module")
def api_of(clone: Path) -> Callable:
    """Run the pipe against a shop that has been open for so many days."""

    def run(warehouse: Warehouse, days: int, *faults: str) -> tuple[int, dict, str]:
        with running(orders=ORDERS, days=days, faults=faults) as url:
            done = ecluse(
                clone, "run", "--json", warehouse=warehouse,
                SOURCES__JAFFLE_SHOP__BASE_URL=url, RUNTIME__REQUEST_BACKOFF_FACTOR="0",
                **own_desk(url),
            )  # fmt: skip
        return done.returncode, json.loads(done.stdout), done.stderr

    return run


@pytest.fixture(scope="module")
def first(server: Warehouse, api_of: Callable) -> tuple[Warehouse, dict]:
    """The first run; every story goes on from a copy of its database."""
    warehouse = make_database(server, name=NAME)
    code, run, said = api_of(warehouse, FIRST_DAY)
    assert (code, run["status"]) == (0, "published"), said
    return make_database(server, like=warehouse), run


@pytest.fixture(scope="module")
def from_scratch(server: Warehouse, api_of: Callable) -> Warehouse:
    """The shop of the second day, loaded at once."""
    warehouse = make_database(server, name=NAME)
    assert api_of(warehouse, FIRST_DAY + 1)[0] == 0
    return make_database(server, like=warehouse)


@pytest.fixture
def shop(server: Warehouse, first: tuple[Warehouse, dict]) -> Warehouse:
    """A warehouse after its first run."""
    return make_database(server, like=first[0], name=NAME)


def contents(warehouse: Warehouse) -> dict[str, list[tuple]]:
    """Every mart as sorted text: equal only if each value is."""
    row = "(to_jsonb(t) - '_dlt_load_id')::text"  # which no two warehouses have in common
    return {mart: query(warehouse, f"select {row} from marts.{mart} t order by 1")
            for mart in MARTS}  # fmt: skip


def test_loads_day_by_day_publish_what_a_load_from_scratch_would(
    api_of: Callable, from_scratch: Warehouse, shop: Warehouse, first: tuple[Warehouse, dict]
) -> None:
    code, second, _ = api_of(shop, FIRST_DAY + 1)
    assert (code, second["status"]) == (0, "published")
    all_orders = query(shop, "select count(*) from marts.orders")[0][0]
    new = second["loads"][0]["loaded"]["orders"]
    assert 0 < new < all_orders / 10, "the second run must load the new day alone"
    assert first[1]["loads"][0]["loaded"]["orders"] + new == all_orders

    moved = query(shop, "select count(*) - count(distinct id) from raw_support.tickets")[0][0]
    assert moved, "tickets of the first day have changed in place"
    assert contents(shop) == contents(from_scratch)

    query(shop, "update marts.orders set tax_paid = tax_paid + 0.01 "
          "where order_id = (select min(order_id) from marts.orders) returning 1")  # fmt: skip
    assert contents(shop) != contents(from_scratch), "the comparison must see a single cent"


def test_a_broken_row_waits_in_quarantine_until_a_good_one_of_its_key_comes(
    api_of: Callable, from_scratch: Warehouse, shop: Warehouse
) -> None:
    code, run, said = api_of(shop, FIRST_DAY + 1, "wrong_type@customers?column=name")
    assert (code, run["status"]) == (0, "published"), said
    assert run["loads"][0]["rejected"] == {"customers": 1}
    assert any("1 rows rejected (customers 1): `.venv" in note for note in run["notes"])

    code, run, _ = api_of(shop, FIRST_DAY + 1)
    assert (code, run["status"]) == (0, "published")
    assert run["loads"][0]["released"] == {"customers": 1}
    assert contents(shop) == contents(from_scratch)


def test_bad_data_in_raw_fails_a_test_and_is_not_published(
    api_of: Callable, shop: Warehouse
) -> None:
    before = contents(shop)
    wrong = "where id = (select min(id) from raw_jaffle_shop.orders) returning 1"
    query(shop, f"update raw_jaffle_shop.orders set order_total = order_total + 1 {wrong}")

    code, run, said = api_of(shop, FIRST_DAY)
    assert (code, run["status"]) == (3, "rejected")
    failed = [test for test in run["tests"] if test["status"] == "fail"]
    assert failed
    assert all(test["failures"] for test in failed)
    assert failed[0]["name"] in said
    named = query(shop, "select title from ops.incidents where kind = 'test' and state = 'open'")
    assert len(named) == len(failed)
    assert contents(shop) == before
    last = query(shop, "select run_id, status from ops.runs order by started_at desc limit 1")
    assert last == [(run["run_id"], "rejected")]


def test_a_run_leaves_a_whole_record_behind(first: tuple[Warehouse, dict], clone: Path) -> None:
    warehouse, run = first
    folder = clone / "runs" / run["run_id"]
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left >= {
        "run.json",
        "dbt/manifest.json",
        "dbt/run_results.json",
        "dbt/catalog.json",
        "dbt/sources.json",
        "dlt/jaffle_shop.trace.json",
        "dlt/jaffle_shop.schema.yaml",
        "dlt/jaffle_shop.contract.json",
    }
    for table in ("runs", "steps", "loads", "load_tables", "nodes", "test_results", "freshness"):
        sql = f"select count(*) from ops.{table} where run_id = %s"
        assert query(warehouse, sql, run["run_id"])[0][0] > 0, table
    joined = query(
        warehouse,
        "select count(*) from raw_jaffle_shop.orders o "
        "join ops.loads l on o._dlt_load_id = any (l.load_ids) where l.run_id = %s",
        run["run_id"],
    )
    assert joined[0][0] == run["loads"][0]["loaded"]["orders"]


def test_the_demo_starts_by_itself_and_is_gone_with_the_run(server: Warehouse, clone: Path) -> None:
    warehouse = make_database(server)
    done = ecluse(clone, "ingest", "--json", warehouse=warehouse, ECLUSE_DEMO_ORDERS="500")
    assert done.returncode == 0, done.stderr
    endpoint = json.loads(done.stdout)["loads"][0]["endpoints"]["orders"]
    again = ecluse(
        clone, "ingest", warehouse=warehouse, RUNTIME__REQUEST_MAX_ATTEMPTS="1",
        SOURCES__JAFFLE_SHOP__BASE_URL=endpoint.removesuffix("/orders"),
    )  # fmt: skip
    assert again.returncode == 1
    assert "cannot be reached" in again.stderr


def test_the_notebook_of_the_docs_runs(
    shop: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("ECLUSE_WAREHOUSE_URL", shop.url())
    monkeypatch.setenv("HOME", str(tmp_path))
    notebook = nbformat.read(ROOT / "docs" / "marts.ipynb", as_version=4)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    said = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert said[1]["text"].startswith("version 1, published 20")
    assert said[2]["data"]["text/plain"] == "['endpoint.jaffle_shop.orders $.order_total']"
    assert said[-1]["data"]["text/plain"] == "True"
