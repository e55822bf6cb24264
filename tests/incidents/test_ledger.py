"""One incident a cause: opened, kept, worse, muted, over; on a real Postgres."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from psycopg2.extensions import connection

from orchestration.incidents.causes import ERROR, NOTE, WARN, Cause
from orchestration.incidents.ledger import Change, settle
from tests.incidents.made import cause

START = datetime(2026, 1, 1, 6, tzinfo=UTC)
Days = Callable[..., list[Change]]


@pytest.fixture
def day(session: connection) -> Days:
    """A run a day: its number, what it saw, and which keys it found well."""

    def settled(number: int, *seen: Cause, over: tuple[str, ...] = ()) -> list[Change]:
        with session.cursor() as cursor:
            cursor.execute("begin")
            changes = settle(
                cursor, f"run{number}", START + timedelta(days=number), seen,
                lambda key, _: "it passes" if key in over else None, lambda _: "sales",
            )  # fmt: skip
            cursor.execute("commit")
        return changes

    return settled


def states(session: connection) -> list[tuple[str, int]]:
    with session.cursor() as cursor:
        cursor.execute("select state, runs_seen from ops.incidents order by id")
        return cursor.fetchall()


def set_state(session: connection, assignment: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(f"update ops.incidents set {assignment}")


def test_the_same_cause_again_is_the_same_incident(day: Days, session: connection) -> None:
    (opened,) = day(1, cause(4))
    assert (opened.event, opened.is_news, opened.incident.owner) == ("opened", True, "sales")
    assert day(2, cause(5)) == day(3, cause(3)) == []
    assert states(session) == [("open", 3)]


def test_twice_what_was_told_last_is_worse_and_so_is_a_graver_cause(day: Days) -> None:
    day(1, cause(4, WARN))
    (twice,) = day(2, cause(8, WARN))
    assert (twice.event, twice.before, twice.incident.size) == ("worsened", 4, 8)
    assert day(3, cause(15, WARN)) == []
    (graver,) = day(4, cause(1, ERROR))
    assert (graver.event, graver.is_news) == ("worsened", True)
    assert day(5, cause(1, WARN)) == day(6, cause(1, ERROR)) == []  # to and fro is no news


def test_recovery_closes_and_the_next_time_is_another_incident(
    day: Days, session: connection
) -> None:
    day(1, cause())
    (over,) = day(2, over=("test:t",))
    assert (over.event, over.why, over.is_news) == ("recovered", "it passes", True)
    assert day(3, over=("test:t",)) == []
    day(4, cause())
    assert states(session) == [("resolved", 1), ("open", 1)]


def test_a_run_that_did_not_look_changes_nothing(day: Days, session: connection) -> None:
    day(1, cause())
    assert day(2) == []
    assert states(session) == [("open", 1)]


def test_a_note_is_no_news_until_it_is_graver(day: Days) -> None:
    (noted,) = day(1, cause(severity=NOTE))
    assert not noted.is_news
    (graver,) = day(2, cause(severity=WARN))
    assert graver.is_news
    (over,) = day(3, over=("test:t",))
    assert over.is_news
    day(4, cause(severity=NOTE))
    (over,) = day(5, over=("test:t",))
    assert not over.is_news


def test_the_muted_says_nothing_until_its_day(day: Days, session: connection) -> None:
    day(1, cause(1))
    set_state(session, f"state = 'muted', muted_until = '{START + timedelta(days=5)}'")
    assert not any(change.is_news for change in day(2, cause(9)))
    assert states(session) == [("muted", 2)]
    (again,) = day(5, cause(9))
    assert (again.event, again.is_news, again.incident.state) == ("unmuted", True, "open")
    set_state(session, f"state = 'muted', muted_until = '{START + timedelta(days=9)}'")
    (over,) = day(6, over=("test:t",))
    assert (over.event, over.is_news) == ("recovered", False)


def test_the_acknowledged_stays_so_and_is_told_when_worse(day: Days, session: connection) -> None:
    day(1, cause(2))
    set_state(session, "state = 'acknowledged'")
    (worse,) = day(2, cause(4))
    assert (worse.incident.state, worse.is_news) == ("acknowledged", True)


def test_what_was_past_when_it_was_found_is_over_with_the_run_that_found_it(
    day: Days, session: connection
) -> None:
    killed = cause(key="run:killed", past=True)
    (only,) = day(1, killed, over=("run:killed",))
    assert (only.event, only.is_news) == ("recovered", True)
    (opened,) = day(2, killed)
    assert opened.event == "opened"
    day(3, cause(key="run:killed"), over=("run:killed",))  # killed itself: not over
    assert states(session) == [("resolved", 1), ("open", 2)]


def test_what_became_of_it_is_kept_in_order(day: Days, session: connection) -> None:
    day(1, cause(1))
    day(2, cause(3))
    day(3, over=("test:t",))
    with session.cursor() as cursor:
        cursor.execute("select event, by, size, note from ops.incident_events order by at")
        assert cursor.fetchall() == [
            ("opened", "run1", 1, None), ("worsened", "run2", 3, None),
            ("recovered", "run3", 3, "it passes"),
        ]  # fmt: skip


def test_postgres_itself_keeps_a_second_one_of_a_cause_from_being_opened(
    day: Days, session: connection
) -> None:
    day(1, cause())
    names = "key, kind, severity, title, nodes, details, size, unit, runs_seen, opened_at, "
    names += "opened_by, seen_at, seen_by"
    copied = (
        f"insert into ops.incidents ({names}, state) select {names}, 'muted' from ops.incidents"
    )
    with session.cursor() as cursor, pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute(copied)
