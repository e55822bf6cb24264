"""`ecluse record` and loads that are answered by what it kept, from a demo shop on loopback."""

import json
from pathlib import Path

import pytest
import requests

from ingestion.demo_api.serve import running
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse

pytestmark = pytest.mark.slow
ORDERS = 30_000  # in a year
FEW = {"SOURCES__JAFFLE_SHOP__PAGE_SIZE": "40", "SOURCES__JAFFLE_SHOP__API_TOKEN": "t0psecret"}
SCHEMAS = "select nspname from pg_namespace where nspname like '%record%'"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("recording") / "clone")


@pytest.fixture(scope="module")
def warehouse(server: Warehouse) -> Warehouse:
    return make_database(server)


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    """How many rows the shop has."""
    return {}


@pytest.fixture(scope="module")
def recorded(clone: Path, warehouse: Warehouse, counts: dict[str, int]) -> Path:
    """All of a small shop, recorded with a login in its URL."""
    with running(orders=ORDERS, days=20) as url:
        own = {"SOURCES__JAFFLE_SHOP__BASE_URL": url.replace("//", "//me:pa55word@"), **FEW}
        done = ecluse(clone, "record", "jaffle_shop", "--all", warehouse=warehouse, **own)
        rows = requests.get(f"{url}/row-counts", timeout=10).json()
    counts.update({row["table_name"]: row["row_count"] for row in rows})
    assert done.returncode == 0, done.stderr
    return clone / "tests" / "recordings" / "jaffle_shop"


def test_it_holds_no_secret_and_nobodys_name_and_leaves_nothing_in_the_warehouse(
    recorded: Path, warehouse: Warehouse
) -> None:
    text = "".join(path.read_text() for path in recorded.iterdir())
    assert {path.name for path in recorded.iterdir()} == {"answers.yaml", "recording.json"}
    for secret in ("t0psecret", "pa55word", "Bearer", "Basic"):
        assert secret not in text
    names = [line for line in text.splitlines() if "masked-" in line]
    assert names
    assert query(warehouse, SCHEMAS) == []
    assert json.loads((recorded / "recording.json").read_text())["pages"] is None


def test_a_load_from_it_asks_nobody_and_has_every_row(
    clone: Path, server: Warehouse, recorded: Path, counts: dict[str, int]
) -> None:
    empty = make_database(server)
    replay = {"ECLUSE_REPLAY": str(recorded.parent)}
    done = ecluse(clone, "ingest", "jaffle_shop", "--json", warehouse=empty, **replay)
    assert done.returncode == 0, done.stderr
    (load,) = json.loads(done.stdout)["loads"]
    assert load["loaded"]["orders"] == counts["orders"] > 100
    assert load["loaded"]["customers"] == counts["customers"]
    assert load["pages"]["orders"] == -(-counts["orders"] // 40)
    (names,) = query(empty, "select array_agg(name) from raw_jaffle_shop.customers")[0]
    assert all(name.startswith("masked-") for name in names)

    again = ecluse(clone, "ingest", "jaffle_shop", warehouse=empty, **replay)
    assert again.returncode == 1
    assert "/api/v1/orders is not in the recording" in again.stderr


def test_a_source_without_a_recording_is_refused(
    clone: Path, warehouse: Warehouse, tmp_path: Path
) -> None:
    done = ecluse(clone, "ingest", warehouse=warehouse, ECLUSE_REPLAY=str(tmp_path))
    assert done.returncode == 2
    assert "ecluse record jaffle_shop" in done.stderr


def test_the_same_api_did_not_move_and_another_one_did(
    clone: Path, warehouse: Warehouse, recorded: Path
) -> None:
    before = (recorded / "answers.yaml").read_bytes()
    with running(orders=ORDERS, days=21) as url:
        own = {"SOURCES__JAFFLE_SHOP__BASE_URL": url, **FEW}
        same = ecluse(clone, "record", "jaffle_shop", "--check", warehouse=warehouse, **own)
    assert same.returncode == 0, same.stdout
    assert "answers as it did when it was recorded" in same.stdout
    with running(orders=ORDERS, days=21, faults=["unknown_column@stores"]) as url:
        own = {"SOURCES__JAFFLE_SHOP__BASE_URL": url, **FEW}
        done = ecluse(
            clone, "record", "jaffle_shop", "--check", "--json", warehouse=warehouse, **own
        )
    assert done.returncode == 3
    (moved,) = json.loads(done.stdout)["moved"]
    assert moved.startswith("/api/v1/stores: $[].")
    assert "is new" in moved
    assert (recorded / "answers.yaml").read_bytes() == before, "--check keeps nothing"


def test_what_cannot_be_asked_keeps_what_was_recorded(
    clone: Path, warehouse: Warehouse, recorded: Path
) -> None:
    before = (recorded / "answers.yaml").read_bytes()
    own = {"SOURCES__JAFFLE_SHOP__BASE_URL": "http://127.0.0.1:1/api", **FEW}
    own["RUNTIME__REQUEST_MAX_ATTEMPTS"] = "1"
    done = ecluse(clone, "record", "jaffle_shop", warehouse=warehouse, **own)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert (recorded / "answers.yaml").read_bytes() == before
    unknown = ecluse(clone, "record", "nobody", warehouse=warehouse)
    assert unknown.returncode == 2
    assert "Sources: jaffle_shop" in unknown.stderr
