"""One whole run of the real project, and what a person does with its results."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.artifacts import read_build
from orchestration.lineage.graph import read_graph
from orchestration.openlineage.delivery import read_events
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse, environment, own_desk
from tests.openlineage.spec import faults_of_all

pytestmark = pytest.mark.slow
MARTS = {path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}


@dataclass(frozen=True)
class Shop:
    """A project copy after `ecluse run --json`."""

    root: Path
    warehouse: Warehouse
    done: subprocess.CompletedProcess[str]

    @property
    def record(self) -> dict:
        return json.loads(self.done.stdout)

    @property
    def folder(self) -> Path:
        return self.root / "runs" / self.record["run_id"]

    def sh(self, script: str) -> subprocess.CompletedProcess[str]:
        """A person's shell after eval "$(ecluse env)"; their dbt is the one beside our Python."""
        program = f'eval "$("{sys.executable}" -m orchestration env)"\n'
        program += f'PATH="{Path(sys.executable).parent}:$PATH"\n{script}'
        return subprocess.run(
            ["sh", "-eu", "-c", program], cwd=self.root, capture_output=True, text=True,
            env=environment(self.root, self.warehouse, {}), check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture(scope="module")
def shop(server: Warehouse, api: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = copy_project(tmp_path_factory.mktemp("whole") / "a clone")
    warehouse = make_database(server)
    variables = {"SOURCES__JAFFLE_SHOP__BASE_URL": api, **own_desk(api)}
    return Shop(root, warehouse, ecluse(root, "run", "--json", warehouse=warehouse, **variables))


def test_a_run_publishes_all_marts_and_says_so_in_json(shop: Shop) -> None:
    assert shop.done.returncode == 0, shop.done.stderr
    assert (shop.record["status"], shop.record["exit_code"]) == ("published", 0)
    assert set(shop.record["published"]["tables"]) == MARTS
    assert {step["status"] for step in shop.record["steps"]} == {"done"}
    assert "Traceback" not in shop.done.stderr


def test_the_file_and_the_tables_of_ops_hold_the_same_run(shop: Shop) -> None:
    on_disk = json.loads((shop.folder / "run.json").read_text())
    assert on_disk == shop.record
    counts = {
        table: query(shop.warehouse, f"select count(*) from ops.{table} where run_id = %s",
                     shop.record["run_id"])[0][0]
        for table in ("runs", "steps", "loads", "nodes", "test_results", "freshness")
    }  # fmt: skip
    assert counts == {
        "runs": 1, "steps": 4, "loads": 2, "nodes": len(on_disk["nodes"]),
        "test_results": len(on_disk["tests"]), "freshness": len(on_disk["freshness"]),
    }  # fmt: skip
    assert counts["nodes"] > counts["test_results"] > 20


def test_the_record_holds_what_it_takes_to_trace_a_row(shop: Shop) -> None:
    load, _ = shop.record["loads"]
    ids = query(shop.warehouse, "select distinct _dlt_load_id from raw_jaffle_shop.orders")
    assert [row[0] for row in ids] == load["load_ids"]
    rows = query(shop.warehouse, "select count(*) from raw_jaffle_shop.orders")[0][0]
    assert load["loaded"]["orders"] == rows > 0
    assert shop.record["versions"].keys() >= {"python", "dlt", "dbt-core"}


def test_every_artifact_is_kept_in_the_folder_of_the_run(shop: Shop) -> None:
    found = {str(path.relative_to(shop.folder)) for path in shop.folder.rglob("*.*")}
    assert found >= {
        "run.json", "dbt/manifest.json", "dbt/run_results.json", "dbt/catalog.json",
        "dbt/sources.json", "dlt/jaffle_shop.trace.json", "dlt/jaffle_shop.schema.yaml",
        "logs/dbt.log",
    }  # fmt: skip
    nodes, tests = read_build(shop.folder / "dbt")
    assert len(nodes) == len(shop.record["nodes"])
    assert {test.status for test in tests} <= {"pass", "success", "warn"}
    manifest = json.loads((shop.folder / "dbt" / "manifest.json").read_text())
    assert manifest["nodes"]["model.ecluse.orders"]["compiled_code"], (
        "docs generate kept its hands off"
    )


def test_the_events_of_the_run_are_valid_and_say_what_the_graph_of_columns_says(shop: Shop) -> None:
    events = read_events(shop.folder / "openlineage.ndjson")
    assert faults_of_all(events) == []
    assert {event["eventType"] for event in events} == {"START", "COMPLETE"}
    outputs = [each for event in events for each in event["outputs"]]
    written = {each["name"] for each in outputs}
    read = {each["name"] for event in events for each in event["inputs"]}
    assert not {
        name for name in read - written if not name.startswith(("/api/v1/", "/support/v1/"))
    }, "all join"
    said = {
        (origin["name"].removeprefix(f"{shop.warehouse.dbname}."), origin["field"],
         output["name"].removeprefix(f"{shop.warehouse.dbname}."), column, change["type"].lower())
        for output in outputs
        if (facet := output["facets"].get("columnLineage"))
        for column, origins in [*((name, found["inputFields"]) for name, found
                                  in facet["fields"].items()), (None, facet["dataset"])]
        for origin in origins
        for change in origin["transformations"]
    }  # fmt: skip
    graph = read_graph(shop.folder / "lineage.json")
    place = {node.id: node.relation for node in graph.nodes.values()}
    kinds = {node.id: node.kind for node in graph.nodes.values()}
    assert said == {
        (place[edge.from_node], edge.from_column, place[edge.to_node], edge.to_column, edge.kind)
        for edge in graph.edges
        if edge.from_column and kinds[edge.to_node] not in {"exposure", "quarantine"}
    }
    assert len(said) > 200


def test_status_and_show_tell_of_it(shop: Shop) -> None:
    status = ecluse(shop.root, "status").stdout
    assert status.split()[:3] == [shop.record["run_id"], "run", "published"]
    assert "jaffle_shop.orders" in status
    shown = ecluse(shop.root, "runs", "show", "latest").stdout
    assert f"publish  done     {len(MARTS)} marts switched" in shown


def test_nothing_was_written_to_home(shop: Shop) -> None:
    assert list((shop.root / "home").iterdir()) == []


def test_plain_dbt_works_after_env_and_touches_nothing_that_is_published(shop: Shop) -> None:
    before = query(shop.warehouse, "select oid from pg_class where relname = 'orders' order by 1")
    selected = "stg_jaffle_shop__orders daily_sales --exclude-resource-type unit_test"
    done = shop.sh(f"dbt build --select {selected}")
    assert done.returncode == 0, done.stdout + done.stderr
    built = "select table_schema, table_name from information_schema.tables "
    # where rows that fail a test are kept: a table for each test
    built += "where table_schema like 'dev%%' and table_schema <> 'dev_quarantine' order by 1, 2"
    assert query(shop.warehouse, built.replace("%%", "%")) == [
        ("dev_marts", "daily_sales"), ("dev_staging", "stg_jaffle_shop__orders"),
    ]  # fmt: skip
    after = query(shop.warehouse, "select oid from pg_class where relname = 'orders' order by 1")
    assert after == before


def test_a_notebook_reads_marts_and_ops_with_two_lines(shop: Shop) -> None:
    (shop.root / "notebook.py").write_text(
        "import os, pandas as pd\n"
        "url = os.environ['ECLUSE_SQLALCHEMY_URL']\n"
        "print(len(pd.read_sql('select * from marts.orders', url)))\n"
        "print(len(pd.read_sql('select * from ops.runs', url)))\n"
    )
    done = shop.sh("python notebook.py")
    ((orders,),) = query(shop.warehouse, "select count(*) from marts.orders")
    assert done.stdout.split() == [str(orders), "1"], done.stderr


def test_docs_are_served_where_it_says_and_describe_the_published_marts(shop: Shop) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "docs", "--port", "0"], cwd=shop.root,
        env=environment(shop.root, shop.warehouse, {"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout
    try:
        url = re.search(r"http://127.0.0.1:\d+/", server.stdout.readline())
        assert url
        assert url.group().startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url.group()) as answer:  # noqa: S310
            assert "Can I trust" in answer.read().decode()
        with urllib.request.urlopen(url.group() + "dbt/index.html") as answer:  # noqa: S310
            dbt_docs = answer.read().decode()
        assert "model.ecluse.orders" in dbt_docs
        assert "marts__next" not in dbt_docs, "the docs are of what readers see"
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
