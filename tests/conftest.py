"""Shared parts of the tests: one Postgres and one demo API for all, a database for each test."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from orchestration.embedded import EmbeddedServer
from orchestration.settings import ROOT, Settings, load_settings
from orchestration.warehouse import Warehouse

# What a project needs to run; runs, docs and the embedded server land in the copy.
PROJECT = (
    "dbt_project",
    "ingestion",
    "orchestration",
    "dbt_project.yml",
    "profiles.yml",
    "pyproject.toml",
)
ORDERS, DAYS = 3_000, 40

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """No variable of the developer's own shell may steer a test."""
    prefixes = ("ECLUSE_", "SOURCES__", "DESTINATION__", "DBT_", "DLT_", "PG")
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefixes)}
    yield
    os.environ.update(taken)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The embedded PostgreSQL, as the product starts it; its maintenance database."""
    embedded = EmbeddedServer(tmp_path_factory.mktemp("warehouse"))
    embedded.start()
    yield Warehouse(str(embedded.socket_dir), 5432, "postgres", "", "postgres")
    embedded.stop()


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """An empty database of its own for a test."""
    return make_database(server)


@pytest.fixture(scope="session")
def api() -> Iterator[str]:
    """The base URL of a small demo shop whose calendar stands still. Set no faults on it."""
    with running(orders=ORDERS, days=DAYS) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, so that a run leaves nothing in the repository."""
    return copy_project(tmp_path / "clone")


def make_database(server: Warehouse) -> Warehouse:
    """Create a database and return where it is."""
    name = f"test_{next(_numbers)}"
    with server.session() as session, session.cursor() as cursor:
        cursor.execute(f"create database {name}")
    return Warehouse(server.host, server.port, server.user, server.password, name)


def copy_project(into: Path) -> Path:
    """Copy what a run needs of the repository."""
    into.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, into / name)
    return into


def settings_for(root: Path, warehouse: Warehouse, **variables: str) -> Settings:
    """Settings of a project copy against a test's database."""
    return load_settings({"ECLUSE_WAREHOUSE_URL": warehouse.url(), **variables}, root)


def ecluse(
    root: Path, *args: str, warehouse: Warehouse | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line of a project copy in a process of its own, with an empty HOME."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *args],
        cwd=root, env=environment(root, warehouse, variables), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def environment(
    root: Path, warehouse: Warehouse | None, variables: dict[str, str]
) -> dict[str, str]:
    """The environment of a newcomer: PATH, an empty HOME, and what the test sets."""
    home = root / "home"
    home.mkdir(exist_ok=True)
    found = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(root)}
    if warehouse is not None:
        found["ECLUSE_WAREHOUSE_URL"] = warehouse.url()
    return found | variables


def query(warehouse: Warehouse, sql: str, *values: object) -> list[tuple]:
    """All rows of a query."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
