"""Compaction through the whole pipe: kept versions can still be rebuilt, later runs go on."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.history.diff import compare
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.peer import Peer
from tests.ingestion.rows import CUSTOMER, PRODUCT, SUPPLY, changed, make_orders
from tests.newcomer import copy_project, ecluse, environment

pytestmark = pytest.mark.long

LATER = "2999-01-01"
NAME = "shop"  # of every warehouse that is run on: dbt keeps its parse
SOURCES = "dbt_project/models/staging/jaffle_shop/_jaffle_shop__sources.yml"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("forgetting") / "clone")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as found:
        yield found


class Story:
    """A clone, its warehouse, and the shop that it follows."""

    def __init__(self, clone: Path, warehouse: Warehouse, peer: Peer) -> None:
        self.clone, self.warehouse, self.peer = clone, warehouse, peer

    def call(self, *args: str) -> dict:
        done = ecluse(
            self.clone, *args, "--json", warehouse=self.warehouse,
            SOURCES__JAFFLE_SHOP__BASE_URL=self.peer.url,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def version(self) -> str:
        """Run the pipe, which publishes; returns the load that the marts were built from."""
        record = self.call("run")
        assert record["status"] == "published", record["reason"]
        ((watermark,),) = query(
            self.warehouse, "select watermark from ops.versions where schema_name = 'marts'"
        )
        return watermark

    def rebuild(self, load: str) -> None:
        """The marts as of a load, in dev_marts."""
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "run", "--vars", f"as_of_load: '{load}'",
             "--target-path", "target/rebuilt", "--log-path", "target/rebuilt"], cwd=self.clone,
            env=environment(self.clone, None, self.warehouse.environment()),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def differences(self, schema: str) -> dict[str, int]:
        """How the marts of `schema` differ from the rebuilt ones: rows by mart."""
        found = {}
        marts = "select mart from ops.version_marts group by 1"
        for (mart,) in query(self.warehouse, marts):
            with self.warehouse.session() as session, session.cursor() as cursor:
                d = compare(cursor, self.clear(schema, mart), ("dev_marts", mart))
            assert d.rows_b or mart == "customer_support", "there is no desk"
            found |= {mart: d.added + d.removed + d.changed} if not d.identical else {}
        return found

    def clear(self, schema: str, mart: str) -> tuple[str, str]:
        """Where the unmasked mart of the version in `schema` stands."""
        clear = "select format('marts__v%%s__clear', version) from ops.versions "
        clear += "join ops.version_marts using (version) "
        clear += "where schema_name = %s and mart = %s and masked != '{}'"
        found = query(self.warehouse, clear, schema, mart)
        return (found[0][0] if found else schema, mart)


@pytest.fixture(scope="module")
def grown(server: Warehouse, clone: Path, peer: Peer) -> tuple[Warehouse, list[str]]:
    """Three versions, of which two are kept, and the loads that they were built from."""
    story, tables = Story(clone, make_database(server, name=NAME), peer), peer.tables
    paid = {"subtotal": "1100", "tax_paid": "66", "order_total": "1166"}
    tables["orders"] = make_orders("o1", "o2", "o3", **paid)
    tables["products"].append(changed(PRODUCT, sku="BEV-001", type="beverage"))
    loads = [story.version()]

    tables["customers"][0] = changed(CUSTOMER, name="Ada King")
    tables["orders"][1]["customer_id"] = "c2"
    tables["supplies"][0] = changed(SUPPLY, cost="8")
    loads.append(story.version())

    tables["customers"][0] = changed(CUSTOMER, name="Ada Lovelace")
    tables["orders"][1]["customer_id"] = "c1"
    tables["products"][0] = changed(PRODUCT, price="1200")
    dearer = {"subtotal": "1200", "tax_paid": "72", "order_total": "1272"}
    tables["orders"] += make_orders("o4", **dearer)
    loads.append(story.version())
    return make_database(server, like=story.warehouse), loads


@pytest.fixture
def story(
    server: Warehouse, clone: Path, peer: Peer, grown: tuple[Warehouse, list[str]]
) -> Iterator[Story]:
    """A copy of that warehouse; what a test changes in the clone's sources is undone."""
    yield Story(clone, make_database(server, like=grown[0], name=NAME), peer)
    shutil.copy2(ROOT / SOURCES, clone / SOURCES)


def test_history_is_forgotten_and_no_reader_of_a_kept_version_can_tell(
    story: Story, grown: tuple[Warehouse, list[str]]
) -> None:
    loads = grown[1]
    shown = story.call("compact", "--before", LATER)
    shop_loads = "select load_id from raw_jaffle_shop._dlt_loads order by 1"
    cut_off = shown["sources"][0]["cut_off"]["load_id"]
    assert (cut_off,) == query(story.warehouse, shop_loads)[1]
    assert shown["held_by"] == ["2 (kept)"]
    assert {table: rows[0] for table, rows in shown["sources"][0]["tables"].items() if rows[0]} == {
        "customers": 1, "orders": 1, "orders__items": 1, "supplies": 1,
    }  # fmt: skip
    assert shown["sources"][0]["left_alone"] == ["products"]

    record = story.call("compact", "--before", LATER, "--yes")
    assert record["steps"][0]["detail"].startswith("removed 4 rows ")

    for load, schema in ((loads[1], "marts__v2"), (loads[2], "marts")):
        story.rebuild(load)
        assert story.differences(schema) == {}, schema
    assert story.differences("marts__v2"), "the two versions do differ"

    record = story.call("run")
    assert record["status"] == "published"
    assert not any(record["loads"][0]["loaded"].values()), "nothing came in twice"
    assert record["loads"][0]["mended"] == {}
    assert story.differences("marts") == {}


def test_without_the_mark_an_old_price_would_be_forgotten_and_block_publication(
    story: Story,
) -> None:
    """What the mark on the source table is for."""
    marked = (ROOT / SOURCES).read_text()
    unmarked = marked.replace("meta: {history: needed}", "meta: {}")
    assert unmarked != marked
    (story.clone / SOURCES).write_text(unmarked)
    story.version()  # now both kept versions know the new price
    record = story.call("compact", "--before", LATER, "--yes")
    assert "jaffle_shop.products 1" in record["steps"][0]["detail"]
    record = story.call("run")
    assert (record["status"], record["exit_code"]) == ("rejected", 3)
    assert "an_order_total_is_its_items_plus_tax" in record["reason"]
