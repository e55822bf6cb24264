"""dbt's docs in a real browser with no way out: the lineage graph is drawn from what we serve."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.newcomer import copy_project, ecluse, environment

pytestmark = pytest.mark.long

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def address(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`ecluse docs` of a published shop."""
    clone = copy_project(tmp_path_factory.mktemp("docs") / "clone")
    warehouse = make_database(server)
    done = ecluse(clone, "run", warehouse=warehouse, ECLUSE_DEMO_ORDERS="1000")
    assert done.returncode == 0, done.stderr
    serving = subprocess.Popen(
        [sys.executable, "-m", "orchestration", "docs", "--port", "0"],
        cwd=clone, env=environment(clone, warehouse, {"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = re.search(r"http://[\d.]+:\d+/", serving.stdout.readline())
    yield found[0]
    serving.terminate()
    serving.wait(10)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt install chromium")
def test_the_lineage_graph_opens_without_the_internet(address: str, tmp_path: Path) -> None:
    options = [
        "--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]  # fmt: skip
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    page = f"{address}dbt/index.html#!/model/model.ecluse.daily_sales?g_v=1"
    done = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", page],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "<canvas" in done.stdout, "the graph is drawn on a canvas"
    assert "Lineage Graph" in done.stdout
    assert "daily_sales" in done.stdout
    assert "marts__next" not in done.stdout, "the docs are of what readers see"
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in said if "ERR_" in line or "Error" in line], said
