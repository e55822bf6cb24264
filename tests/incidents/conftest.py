"""Tables of ops in a database of the test's own, and sinks for alerts."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection

from orchestration import ops
from orchestration.warehouse import Warehouse
from tests.incidents.sinks import Post, Sink, http_sink, smtp_sink


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[connection]:
    """A connection to a database that has the tables of ops."""
    with warehouse.session() as session:
        ops.create_tables(session)
        yield session


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An HTTP server that takes alerts."""
    with http_sink() as sink:
        yield sink


@pytest.fixture
def post() -> Iterator[Post]:
    """A mail server."""
    with smtp_sink() as post:
        yield post
