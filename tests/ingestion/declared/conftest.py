"""A source of tickets, and a database to load it into."""

from collections.abc import Callable
from typing import Any

import pytest

from ingestion.declared.rest import Endpoint, rest_resources
from ingestion.load import LoadRecord
from tests.ingestion.declared.described import Desk
from tests.ingestion.declared.habits import Habits
from tests.ingestion.declared.tickets import ticket


@pytest.fixture
def api():
    with Habits([ticket(number) for number in (1, 2, 3)]) as found:
        found.since = "updatedAt"
        yield found


@pytest.fixture
def load_tickets(warehouse, tmp_path, monkeypatch) -> Callable[..., LoadRecord]:
    """Load endpoints of the source `desk` into the test's database."""
    desk = Desk(warehouse, tmp_path, monkeypatch)

    def run(url: str, *endpoints: Endpoint, **options: Any) -> LoadRecord:
        return desk.load(lambda intake: rest_resources(endpoints, url, None, intake), **options)

    return run
