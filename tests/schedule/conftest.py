"""Tables of ops in a database of the test's own."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection

from orchestration import ops
from orchestration.warehouse import Warehouse


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[connection]:
    """A connection to a database that has the tables of ops."""
    with warehouse.session() as session:
        ops.create_tables(session)
        yield session
