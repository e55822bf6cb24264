"""Shared parts of the tests: one Postgres and one demo API for all, a database for each test."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from orchestration.embedded import EmbeddedServer
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.newcomer import copy_project, own_environment

ORDERS, DAYS = 3_000, 40


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """No variable of the developer's own shell may steer a test."""
    prefixes = ("ECLUSE_", "SOURCES__", "DESTINATION__", "DBT_", "DLT_", "PG")
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefixes)}
    yield
    os.environ.update(taken)


@pytest.fixture(autouse=True)
def _forget_flags_of_dbt() -> None:
    """Every command of dbt in one process adds its adapter's flags to a list of all again.

    For each of them it walks the stack, so that the hundredth command would take seconds more.
    """
    adapters = sys.modules.get("dbt.adapters.base.impl")
    flags = adapters.DEFAULT_BASE_BEHAVIOR_FLAGS if adapters else []
    flags[:] = {flag["name"]: flag for flag in flags}.values()


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """A run exports variables for dlt and dbt; the next test shall not hear them."""
    with own_environment():
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The embedded PostgreSQL, as the product starts it; its maintenance database."""
    embedded = EmbeddedServer(tmp_path_factory.mktemp("warehouse"))
    embedded.start()
    found = Warehouse(str(embedded.socket_dir), 5432, "postgres", "", "postgres")
    yield found
    with found.session() as session, session.cursor() as cursor:
        # hundreds of databases need not reach the disk before they are thrown away
        cursor.execute("alter system set fsync = off")
        cursor.execute("select pg_reload_conf()")
    embedded.stop()


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """An empty database for a test; of one name for all, so that dbt can keep its parse."""
    return make_database(server, name="warehouse")


@pytest.fixture(scope="session")
def api() -> Iterator[str]:
    """The base URL of a small demo shop whose calendar stands still. Set no faults on it."""
    with running(orders=ORDERS, days=DAYS) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, so that a run leaves nothing in the repository."""
    return copy_project(tmp_path / "clone")


def pytest_configure() -> None:
    """As the command does: dbt's objects in a worker are many, and stay."""
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker more than cores: tests wait for servers a quarter of their time, long ones less."""
    return (os.cpu_count() or 1) + ("not long" in config.option.markexpr)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: a worker that begins one at the end would work on alone.

    The slowest, those of the whole pipe, are not in a room's folder.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, len(item.path.parts)))
