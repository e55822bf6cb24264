"""The detector reaches its goals, on the bench's own seed and on a real series."""

import pytest

from tests.drift.labelled import labelled
from tests.drift.scoring import ours, score, z_score
from tests.drift.series import simulate

pytestmark = pytest.mark.long


def test_f1_on_the_simulation() -> None:
    many = simulate(seed=4)
    got = score(many, ours)
    assert got.found + got.missed == 180
    assert got.f1 >= 0.85
    assert got.f1 > score(many, z_score).f1


def test_four_of_five_events_of_real_series_with_at_most_two_false_ones() -> None:
    got = score(labelled(), ours)
    assert got.found >= 0.8 * (got.found + got.missed)
    assert got.false <= 2
