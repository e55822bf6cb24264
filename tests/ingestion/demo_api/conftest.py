import json
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from typing import Any

import pytest
import requests

from ingestion.demo_api.generator import GeneratedShop
from ingestion.demo_api.serve import running
from ingestion.demo_api.shop import EVERY_DAY, Days, Shop

START = date(2024, 9, 1)
Rows = list[dict[str, Any]]


def make_shop(orders: int = 20_000, days: int = 60, seed: int = 7) -> GeneratedShop:
    return GeneratedShop(orders=orders, days=days, start=START, seed=seed)


@cache  # many tests look at the same year
def rows_of(shop: Shop, endpoint: str, days: Days = EVERY_DAY) -> Rows:
    return json.loads(shop.page(endpoint, 0, 10**9, days))


@pytest.fixture(scope="session")
def shop() -> GeneratedShop:
    """The shop that the session's server serves, to compare with."""
    return make_shop()


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    with running(orders=20_000, days=60, start=START, seed=7) as url:
        yield url


@pytest.fixture
def fetch(base_url: str) -> Iterator[Callable[..., requests.Response]]:
    """Get a path of the API, such as `orders?page=2`."""
    with requests.Session() as session:
        yield lambda path: session.get(f"{base_url}/{path}", timeout=10)


@pytest.fixture
def fault(base_url: str) -> Iterator[Callable[[str], requests.Response]]:
    """Set faults on the shared server; they are gone after the test."""
    desk = base_url.removesuffix("/api/v1") + "/faults"
    yield lambda spec: requests.post(desk, json={"spec": spec}, timeout=10)
    requests.delete(desk, timeout=10)


@pytest.fixture
def make() -> Callable[..., GeneratedShop]:
    return make_shop


@pytest.fixture
def rows() -> Callable[..., Rows]:
    return rows_of
