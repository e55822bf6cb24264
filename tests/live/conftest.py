"""What the tests of the live page, metrics and spans share."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """A run exports variables for dlt and dbt; the next test shall not hear them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
