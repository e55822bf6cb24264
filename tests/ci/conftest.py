"""A small shop for all tests of pull requests: published once, its code restored for each."""

from collections.abc import Iterator

import pytest

from orchestration.warehouse import Warehouse
from tests.ci.small_shop import ROLES, SECOND_DAY, Shop
from tests.databases import make_database


@pytest.fixture(scope="session")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Published once, then raw has gone on: a full comparison would see another day."""
    shop = Shop(tmp_path_factory.mktemp("ci") / "clone", make_database(server))
    shop.ask(SECOND_DAY)
    return shop


@pytest.fixture
def shop(built: Shop) -> Iterator[Shop]:
    """As it was published; no test may leave anything in the warehouse."""
    built.restore()
    built.pipe.variables = dict(ROLES)
    yield built
    assert built.schemas() == []
