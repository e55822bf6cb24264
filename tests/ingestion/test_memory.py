"""Memory does not grow with the rows: pages are decoded and written as they come."""

import subprocess
import sys

import pytest

from ingestion.demo_api.serve import running
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database

ALLOWED = 600  # MB resident, at any number of rows


def load_in_a_process(server: Warehouse, work: str, orders: int) -> tuple[int, int]:
    """The orders loaded and the MB held."""
    with running(orders=orders) as url:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.ingestion.memory",
                work,
                url,
                make_database(server).url(),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    rows, megabytes = map(int, done.stdout.split())
    return rows, megabytes


@pytest.mark.long
def test_ten_times_the_rows_do_not_take_ten_times_the_memory(server, tmp_path):
    few, little = load_in_a_process(server, str(tmp_path / "few"), 40_000)
    many, more = load_in_a_process(server, str(tmp_path / "many"), 400_000)
    assert many > 9.9 * few
    assert more < ALLOWED
    assert more - little < 150, f"{little} MB for {few} orders, {more} MB for {many}"
