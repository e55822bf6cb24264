"""What the loading tests share: dlt's settings, and a `load` that needs only a database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.load import LoadRecord, load
from orchestration.environment import tool_environment
from orchestration.settings import ROOT, load_settings
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.ingestion.peer import Peer

Load = Callable[..., LoadRecord]


@pytest.fixture(scope="module", autouse=True)  # a wider scope would reach the other rooms' tests
def _dlt_settings(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """dlt as a run sets it up, but quick to try again and keeping its files in a test folder."""
    state = tmp_path_factory.mktemp("dlt")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tool_environment(load_settings({}, ROOT), server).items():
            patch.setenv(name, value)
        patch.setenv("DLT_DATA_DIR", str(state))
        patch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
        patch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "3")
        yield


@pytest.fixture(scope="session")
def load_into(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Load the shop into a database; give `base_url` and any other option of the source."""

    def run(
        warehouse: Warehouse, base_url: str, *, artifacts: Path | None = None, **options: Any
    ) -> LoadRecord:
        work = tmp_path_factory.mktemp("work")
        options = {"base_url": base_url, "page_size": 500} | options
        return load("jaffle_shop", warehouse.url(), work, artifacts, **options)

    return run


@pytest.fixture
def peer() -> Iterator[Peer]:
    """An odd server of the same contract, whose rows a test may change."""
    with Peer() as found:
        yield found


@pytest.fixture(scope="module")
def _small_shop(server: Warehouse, load_into: Load) -> Warehouse:
    """The rows of a new peer, loaded; to be copied, not touched."""
    warehouse = make_database(server)
    with Peer() as peer:
        load_into(warehouse, peer.url)
    return warehouse


@pytest.fixture
def followed(server: Warehouse, _small_shop: Warehouse) -> Warehouse:
    """A database of its own that has loaded what `peer` serves before a test changes it."""
    return make_database(server, like=_small_shop)


@pytest.fixture(scope="module")
def new_database(server: Warehouse) -> Callable[[], Warehouse]:
    """Make an empty database; for fixtures that outlive a test."""
    return lambda: make_database(server)
