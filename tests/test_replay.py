"""Old versions rebuilt: from the code of then and the raw rows of then, to the same checksums."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse

pytestmark = pytest.mark.long

FIRST_DAY, RUNS = 30, ("first", "second", "third")
SUPPLIES = "dbt_project/models/marts/catalogue/supplies.sql"
PLAIN, LOUD = " supplies.supply_name,", " upper(supplies.supply_name) as supply_name,"
CHANGES = {"second": (PLAIN, LOUD), "third": (LOUD, PLAIN)}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_project(tmp_path_factory.mktemp("replay") / "clone")
    (root / ".gitignore").write_text("/home\n/runs\n/target\n/logs\n/.warehouse\n__pycache__/\n")
    git(root, "init", "-q")
    commit(root)
    return root


def git(root: Path, *args: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", str(root), *who, *args], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "as it stands")


@pytest.fixture(scope="module")
def shop(server: Warehouse, clone: Path) -> Warehouse:
    """Three days, three runs, two kinds of code, one of them never committed."""
    warehouse = make_database(server)
    for day, name in enumerate(RUNS):
        if name in CHANGES:
            model = clone / SUPPLIES
            model.write_text(model.read_text().replace(*CHANGES[name]))
        with running(orders=1_500, days=FIRST_DAY + day) as url:
            done = ecluse(
                clone, "run", warehouse=warehouse, SOURCES__JAFFLE_SHOP__BASE_URL=url,
                ECLUSE_RUN_ID=name,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return warehouse


@pytest.fixture(scope="module")
def replay(clone: Path, shop: Warehouse) -> Callable:
    def again(name: str, *args: str) -> tuple[int, dict, str]:
        done = ecluse(clone, "replay", name, "--json", *args, warehouse=shop)
        return done.returncode, json.loads(done.stdout), done.stderr

    return again


def schemas(warehouse: Warehouse) -> list[str]:
    found = "select nspname from pg_namespace where nspname like 'replay%' or nspname like 'stag%'"
    return [name for (name,) in query(warehouse, found)]


@pytest.fixture(scope="module")
def replays(replay: Callable, shop: Warehouse) -> dict[str, dict]:
    """Each run replayed; readers and models must notice nothing."""
    tables = "select relname, oid from pg_class where relnamespace in "
    tables += "('marts'::regnamespace, 'staging'::regnamespace, 'intermediate'::regnamespace)"
    before = sorted(query(shop, tables))
    found = {}
    for name in RUNS:
        code, found[name], said = replay(name)
        assert code == 0, said
    assert sorted(query(shop, tables)) == before
    assert schemas(shop) == ["staging"]
    return found


def test_each_run_replays_to_what_it_published(replays: dict[str, dict]) -> None:
    for run in replays.values():
        assert run["steps"][1]["detail"].startswith("identical: "), run["steps"]


def test_the_code_is_that_of_the_run_also_when_it_was_never_committed(
    replay: Callable, replays: dict[str, dict], clone: Path
) -> None:
    said = {name: run["steps"][0]["detail"] for name, run in replays.items()}
    assert said["first"].startswith("version 1 from commit ")
    assert said["second"].startswith("version 2 from second/code.tar.gz, as of load ")
    (clone / "runs/second/code.tar.gz").rename(clone / "away")
    try:
        code, run, _ = replay("second")
        assert code == 3, "the commit alone is other code, and the replay sees that"
        assert [note for note in run["notes"] if note.startswith("supplies: ")]
    finally:
        (clone / "away").rename(clone / "runs/second/code.tar.gz")


def test_a_row_of_raw_that_was_changed_is_found_and_named(
    server: Warehouse, clone: Path, shop: Warehouse
) -> None:
    tampered = make_database(server, like=shop)
    ((order, customer),) = query(
        tampered,
        "update raw_jaffle_shop.orders set subtotal = subtotal + 1, order_total = order_total + 1 "
        "where id = (select min(id) from raw_jaffle_shop.orders) returning id, customer_id",
    )

    def again(name: str) -> dict:
        done = ecluse(clone, "replay", name, "--json", warehouse=tampered)
        assert done.returncode == 3, done.stderr
        return json.loads(done.stdout)

    kept = again("third")
    assert kept["status"] == "rejected"
    notes = "\n".join(kept["notes"])
    assert order in notes
    assert customer in notes
    assert "orders: " in notes
    assert "products: " not in notes
    dropped = again("first")
    assert any("because version 1 was dropped" in note for note in dropped["notes"])


@pytest.mark.parametrize(("name", "said"), [("never", "is not there"), ("77", "is not there")])
def test_what_was_never_published_cannot_be_replayed(
    replay: Callable, name: str, said: str
) -> None:
    code, _, error = replay(name)
    assert code == 2
    assert said in error


def test_what_is_kept_on_request_is_dropped_by_the_next(replay: Callable, shop: Warehouse) -> None:
    assert replay("third", "--keep")[0] == 0
    assert len(schemas(shop)) > 1
    assert replay("never")[0] == 2
    assert schemas(shop) == ["staging"]
