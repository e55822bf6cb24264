"""kill -9 in mid-load, for real: whatever was done by then, the next load ends as if it had not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.load import load
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.conftest import Load
from tests.ingestion.peer import Peer
from tests.ingestion.raw import contents, current, exists, said
from tests.ingestion.rows import make_orders

KILLED = -9
# The files of a load are six tables and dlt's state, then come the merges of the four snapshots.
DEATHS = [
    ("empty", ("extract", "supplies", 1)),
    ("empty", ("load", "files", 0)),
    ("empty", ("load", "files", 5)),
    ("loaded", ("extract", "orders", 4)),
    ("loaded", ("normalize", "files", 0)),
    ("loaded", ("load", "files", 3)),
    ("loaded", ("load", "files", 7)),
    ("loaded", ("load", "files", 9)),
    ("loaded", ("load", "files", 10)),
]

Death = tuple[str, tuple[str, str, int]]


class Graveyard:
    """The databases in which a load died, and how an undisturbed load leaves each kind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.databases: dict[Death, Warehouse] = {}
        self.works: dict[Death, Path] = {}
        self.ends: dict[Death, int] = {}
        self.undisturbed: dict[str, dict[str, list[tuple]]] = {}


@pytest.fixture(scope="module")
def graveyard(
    server: Warehouse, load_into: Load, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graveyard]:
    bases = {shop: make_database(server) for shop in ("empty", "loaded")}
    with Peer() as peer:
        load_into(bases["loaded"], peer.url)
        move_on(peer)
        yard = Graveyard(peer.url)
        for shop, base in bases.items():
            undisturbed = make_database(server, like=base)
            load_into(undisturbed, peer.url)
            yard.undisturbed[shop] = contents(undisturbed)
        for death in DEATHS:
            yard.databases[death] = make_database(server, like=bases[death[0]])
            yard.works[death] = tmp_path_factory.mktemp("died")
        yard.ends = kill(yard)
        yield yard


def move_on(peer: Peer) -> None:
    """Something of everything: new, changed, gone."""
    peer.tables["orders"] += make_orders("o4", "o5", "o6", day="2024-09-02")
    peer.tables["orders"][0]["subtotal"] = "700"
    peer.tables["customers"][0]["name"] = "Ada Lovelace"
    peer.tables["customers"][1] = {"id": "c3", "name": "Katherine Johnson"}
    peer.tables["products"][0]["price"] = "1200"
    peer.tables["supplies"].pop()


def kill(yard: Graveyard) -> dict[Death, int]:
    """Let a load die in each database; how the process ended."""
    deaths = [
        {"credentials": database.url(), "work": str(yard.works[death]), "when": death[1]}
        for death, database in yard.databases.items()
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.ingestion.dying"],
        input=json.dumps({"url": yard.url, "deaths": deaths}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return dict(zip(yard.databases, json.loads(done.stdout), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("death", DEATHS, ids=lambda death: f"{death[0]}: {death[1]}")
def test_the_load_after_a_killed_one_ends_like_an_undisturbed_one(graveyard, death):
    assert graveyard.ends[death] == KILLED
    warehouse, (shop, (stage, _, done)) = graveyard.databases[death], death
    loads = completed(warehouse)

    # in the folder that the dead one left, with its pending package
    record = load(
        "jaffle_shop", warehouse.url(), graveyard.works[death], base_url=graveyard.url, page_size=2
    )

    assert contents(warehouse) == graveyard.undisturbed[shop]
    assert current(warehouse) == said(graveyard.url)
    assert completed(warehouse) == loads + 1
    if stage != "load":
        assert record.mended == {}, "it had written nothing"
    assert len(record.dropped) == (stage != "extract"), "the package that was pending is named"
    if done > 8:
        assert set(record.mended) & {"customers", "products", "supplies"}, "some merges were done"


def completed(warehouse: Warehouse) -> int:
    if not exists(warehouse, "_dlt_loads"):
        return 0
    return query(warehouse, "select count(*) from raw_jaffle_shop._dlt_loads")[0][0]
