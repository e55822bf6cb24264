"""Runs, servers and the API are killed, and nobody has to clean up. More of it: `make chaos`."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos import kills
from tests.chaos.compared import differences
from tests.chaos.rounds import Chaos
from tests.chaos.servers import SYSTEM


@pytest.mark.long
@pytest.mark.parametrize(("server", "number", "seed"), [("embedded", 16, 7), ("system", 5, 15)])
def test_after_many_kills_every_row_is_there_once_and_nobody_had_to_help(
    tmp_path: Path, server: str, number: int, seed: int
) -> None:
    if server == "system" and not SYSTEM:
        pytest.skip("the system has no PostgreSQL: nothing in /usr/lib/postgresql")
    outcome = Chaos(tmp_path, seed, server, print).play(number)
    print(outcome.summary())
    assert outcome.wrong == []
    assert outcome.kills.total() == number
    assert outcome.lost == outcome.doubled == 0
    assert outcome.reads > number


def test_the_same_seed_gives_the_same_kills() -> None:
    first = list(islice(kills.plan(7), 200))
    assert list(islice(kills.plan(7), 200)) == first
    assert list(islice(kills.plan(8), 200)) != first
    assert {kill.kind for kill in first} == set(kills.MEANING)
    assert {kill.phase for kill in first} == {phase for phase, *_ in kills.AIMS}


def test_the_instants_of_the_kills_cover_the_whole_run() -> None:
    whole = [kill.part for kill in islice(kills.plan(1), 1000) if kill.phase == "whole"]
    assert set(Counter(int(part * 10) for part in whole)) == set(range(11))


def test_a_server_that_is_not_ours_is_never_killed() -> None:
    kinds = {kill.kind for kill in islice(kills.plan(7, server_can_die=False), 200)}
    assert kinds == set(kills.MEANING) - {kills.SERVER, kills.HALT}


def test_rows_that_are_lost_doubled_or_strange_are_told_apart() -> None:
    expected = {"t": Counter({("a",): 1, ("b",): 1}), "same": Counter({("x",): 2})}
    found = {"t": Counter({("a",): 3, ("c",): 1}), "same": Counter({("x",): 2})}
    (difference,) = differences(found, expected)
    assert (difference.lost, difference.doubled, difference.strange) == (1, 2, 1)
    assert differences(expected, expected) == []
