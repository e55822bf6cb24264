"""What the detector says of series whose story is known."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.drift.detector import (
    ADOPTED,
    ANOMALY,
    CONTINUING,
    ENOUGH,
    KNOWN,
    LEARNING,
    LEVEL,
    OK,
    RECOVERED,
    SHARE,
    SUSPECT,
    VOLUME,
    Point,
    Verdict,
    judge,
)  # fmt: skip
from tests.drift.series import FIRST

NOISE = np.random.default_rng(5).normal(0, 0.04, 400)
WEEK = np.array([1, 1.1, 1.05, 1, 1.2, 0.4, 0.3])


def _volume(days: int, level: float = 1000.0) -> list[float]:
    return np.round(level * np.exp(NOISE[:days])).tolist()


def _play(values: list[float], kind: str = VOLUME, **options: object) -> list[Verdict]:
    history: list[Point] = []
    verdicts = []
    for day, value in enumerate(values):
        at = FIRST + timedelta(days=day)
        verdicts.append(judge(history, at, value, kind, **options))
        history.append(Point(at, value, verdicts[-1].state, verdicts[-1].expected))
    return verdicts


def _states(values: list[float], kind: str = VOLUME, **options: object) -> list[str]:
    return [verdict.state for verdict in _play(values, kind, **options)]


def test_it_is_silent_until_it_knows_enough() -> None:
    values = [*_volume(5), 0.0, *_volume(40)]
    states = _states(values)
    assert states[:ENOUGH] == [LEARNING] * ENOUGH
    assert ANOMALY not in states


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_one_bad_day_is_an_incident_and_the_next_good_day_its_end(factor: float) -> None:
    values = _volume(40)
    values[35] *= factor
    assert _states(values)[34:37] == [OK, ANOMALY, RECOVERED]


def test_the_band_holds_what_is_expected_and_not_what_is_out() -> None:
    values = _volume(40)
    values[35] = 100.0
    verdict = _play(values)[35]
    assert verdict.low is not None and verdict.high is not None
    assert 100 < verdict.low < verdict.expected < verdict.high
    assert verdict.expected == pytest.approx(1000, rel=0.1)
    assert verdict.score < -6


def test_the_tested_point_is_not_in_its_own_baseline() -> None:
    far, further = ([*_volume(12), value] for value in (1e5, 1e9))
    assert _play(far)[-1].expected == _play(further)[-1].expected
    assert _states(far)[-1] == ANOMALY  # a z-score over these 13 points could say 3.33 at most


def test_points_of_an_incident_do_not_widen_the_band() -> None:
    good, bad = _volume(60), _volume(60)
    bad[40:46] = [100.0] * 6
    (before, after) = (_play(values)[50] for values in (good, bad))
    assert after.low == pytest.approx(before.low, rel=0.05)


def test_a_quiet_weekend_is_none() -> None:
    values = (np.array(_volume(120)) * np.resize(WEEK, 120)).tolist()
    assert ANOMALY not in _states(values)
    sunday, monday = values[:], values[:]
    sunday[104] = values[103 - 3]  # a Sunday like a Wednesday
    monday[105] = values[104]  # a Monday like a Sunday
    assert _states(sunday)[104] == ANOMALY
    assert _states(monday)[105] == ANOMALY


def test_growth_is_none_and_its_end_is() -> None:
    values = np.cumsum(np.array(_volume(90)) + 100).tolist()
    assert ANOMALY not in _states(values)
    gone = [*values[:80], *(value - 15_000 for value in values[80:])]
    assert _states(gone).index(ANOMALY) == 80


def test_a_new_level_is_one_incident_and_then_the_level() -> None:
    values = [*_volume(60), *(2 * value for value in _volume(30))]
    states = _states(values)
    assert states[60:67] == [ANOMALY, *[CONTINUING] * 5, ADOPTED]
    assert set(states[67:]) <= {OK, SUSPECT}
    assert _play(values)[70].expected == pytest.approx(2000, rel=0.1)


def test_a_level_that_comes_back_is_no_second_incident() -> None:
    values = [*_volume(60), *(2 * value for value in _volume(12)), *_volume(30)]
    states = _states(values)
    assert states.count(ANOMALY) == 1
    assert states[72] == RECOVERED
    assert set(states[73:]) <= {OK, SUSPECT}


def test_a_swing_to_the_other_side_is_another_incident() -> None:
    values = _volume(60)
    values[50:52] = [3000.0, 100.0]
    assert _states(values)[50:53] == [ANOMALY, ANOMALY, RECOVERED]


def test_a_level_that_a_person_must_accept_is_never_adopted() -> None:
    states = _states([*_volume(60), *(2 * value for value in _volume(30))], adopts=False)
    assert states[60:] == [ANOMALY, *[CONTINUING] * 29]


def test_a_holiday_is_tolerated_and_three_of_them_are_not() -> None:
    holiday, outage = _volume(60), _volume(60)
    holiday[50] *= 0.8
    outage[50:53] = [0.8 * value for value in outage[50:53]]
    assert _states(holiday)[50:53] == [SUSPECT, OK, OK]
    assert ANOMALY in _states(outage)[50:53]


def test_missing_days_are_missing_not_zero() -> None:
    values = (np.array(_volume(90)) * np.resize(WEEK, 90)).tolist()
    history = [Point(FIRST + timedelta(days=day), values[day]) for day in range(90) if day % 11]
    assert judge(history, FIRST + timedelta(days=96), 1000 * WEEK[96 % 7]).state == OK


def test_a_known_event_teaches_nothing() -> None:
    times = [FIRST + timedelta(days=day) for day in range(40)]
    values = _volume(40)
    sale = [Point(at, 9 * n, KNOWN) if 25 <= day < 32 else Point(at, n)
            for day, (at, n) in enumerate(zip(times, values, strict=True))]  # fmt: skip
    verdict = judge(sale, FIRST + timedelta(days=40), 1000.0)
    assert verdict.state == OK
    assert verdict.high < 2000


@pytest.mark.parametrize(("share", "state"), [(0.002, OK), (0.2, ANOMALY), (1.0, ANOMALY)])
def test_nulls_where_there_were_none(share: float, state: str) -> None:
    assert _states([*[0.0] * 30, share], SHARE)[-1] == state


@pytest.mark.parametrize(("count", "state"), [(3.0, OK), (8.0, OK), (60.0, ANOMALY)])
def test_small_counts_vary_as_counts_do(count: float, state: str) -> None:
    few = np.random.default_rng(1).poisson(5, 50).astype(float).tolist()
    assert _states([*few, count])[-1] == state


def test_levels_may_be_negative() -> None:
    values = (-20 + 40 * NOISE[:40]).tolist()
    assert _states([*values, -20.0], LEVEL)[-1] == OK
    assert _states([*values, 20.0], LEVEL)[-1] == ANOMALY


def test_sensitivity_narrows_the_band() -> None:
    values = [*_volume(40), 780.0]
    assert _states(values)[-1] == SUSPECT
    assert _states(values, sensitivity=2.0)[-1] == ANOMALY
