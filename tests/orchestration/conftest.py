"""What the orchestrator's tests share: somebody who is not root."""

from collections.abc import Iterator

import pytest

from tests.orchestration.users import OrdinaryUser, ordinary_user


@pytest.fixture(scope="session")
def user() -> Iterator[OrdinaryUser]:
    """An ordinary user: ourselves, or a throw-away account when we are root."""
    with ordinary_user() as found:
        yield found
