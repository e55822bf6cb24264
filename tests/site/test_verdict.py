"""Can I trust today's numbers? Every reason for and against, on made-up facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.publication.versions import Switch, Version
from orchestration.site.charts import chart, strip
from orchestration.site.facts import Facts
from orchestration.site.verdict import judge
from orchestration.site.words import change, prose, span, table_page

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
LIVE = Version(3, "r3", "abc", "marts", None, None, NOW, NOW - timedelta(hours=5), None)
FRESH = {"source": "shop", "table_name": "orders", "status": "pass"}
SOURCE = {"source_name": "shop", "name": "orders", "freshness": {
    "warn_after": {"count": 1, "period": "day"}, "error_after": {"count": 3, "period": "day"},
}}  # fmt: skip


def row(status: str, hours_ago: float, kind: str = "run", reason: str = "") -> dict:
    began = NOW - timedelta(hours=hours_ago)
    ended = began + timedelta(minutes=1)
    return {"run_id": f"r{hours_ago}", "kind": kind, "status": status, "reason": reason,
            "started_at": began, "finished_at": ended, "git_commit": None}  # fmt: skip


def facts(newest_hours: float = 5, **known: object) -> Facts:
    newest = (NOW - timedelta(hours=newest_hours)).isoformat()
    run = {"run_id": "r5", "freshness": [FRESH | {"newest_at": newest}], "tests": [], "loads": []}
    found = Facts(NOW, runs=[run], listed=[row("published", 5)], versions=[LIVE],
                  manifest={"sources": {"s": SOURCE}})  # fmt: skip
    return replace(found, **known)


def incident(**about: object) -> dict:
    found = {"state": "open", "severity": "warn", "title": "orders drift", "opened_at": NOW}
    return found | about


def metric(state: str, hours_ago: float = 5, value: float = 1) -> dict:
    return {"table_name": "marts.orders", "column_name": "", "metric": "rows", "value": value,
            "at": NOW - timedelta(hours=hours_ago), "state": state, "expected": 9.0, "low": 8.0,
            "high": 10.0, "run_id": "r"}  # fmt: skip


ROLLBACK = Switch(NOW, "r9", "rollback", 2, 3, True)


@pytest.mark.parametrize(
    ("known", "answer", "said"),
    [
        (facts(), "yes", "passed every test"),
        (facts(versions=[]), "no", "Nothing has been published"),
        (facts(30), "care", "1 source table older than the limit: shop.orders"),
        (facts(80), "no", "older than the limit"),
        (facts(listed=[row("rejected", 1, reason="1 test failed: t. More."), row("published", 5)]),
         "care", "found bad data, so nothing newer was published. 1 test failed: t."),
        (facts(listed=[row("broken", 1), row("broken", 2), row("published", 5)]), "care",
         "did not get through, as did 1 run before it"),
        (facts(listed=[row("cancelled", 1), row("locked", 2), row("published", 5)]), "yes", ""),
        (facts(listed=[row("rejected", 1, "replay"), row("published", 5)]), "yes", ""),
        (facts(switched=ROLLBACK), "care", "rolled back to version 2 and is held there"),
        (facts(incidents=[incident()]), "care", "orders drift (open)."),
        (facts(incidents=[incident(severity="error")] * 5), "care", "2 more incidents are open"),
        (facts(incidents=[incident(severity="note")]), "yes", ""),
        (facts(incidents=[incident(state="resolved"), incident(state="muted")]), "yes", ""),
        (facts(metrics=[metric("ok"), metric("anomaly", 4)]), "care", "1 metric out of"),
        (facts(metrics=[metric("anomaly"), metric("recovered", 4)]), "yes", ""),
    ],
)  # fmt: skip
def test_each_reason_has_its_answer(known: Facts, answer: str, said: str) -> None:
    verdict = judge(known)
    assert verdict.answer == answer
    assert said in " ".join([verdict.sentence, *verdict.reasons])


def test_since_when_is_the_beginning_of_the_streak() -> None:
    good = judge(facts(listed=[row("published", 5), row("passed", 6), row("broken", 9)]))
    assert good.since == NOW - timedelta(hours=6) + timedelta(minutes=1)
    bad = judge(facts(listed=[row("broken", 1), row("rejected", 3), row("published", 5)]))
    assert bad.since == NOW - timedelta(hours=3)


def test_a_day_is_its_last_run_and_remembers_a_worse_one() -> None:
    days = strip([row("published", 1), row("broken", 2), row("rejected", 25)], NOW)
    assert len(days) == 30
    assert (days[-1].outcome, days[-1].troubled) == ("published", True)
    assert days[-1].text == "20 May: 2 runs, the last published, 1 failed before"
    assert (days[-2].outcome, days[-3].text) == ("rejected", "18 May: no run")


def test_a_chart_has_its_band_and_says_what_is_odd() -> None:
    rows = [metric("ok", 3, 9), metric("anomaly", 2, 5), metric("ok", 1, 9)]
    found = chart(rows, "rows")
    assert found
    assert (found.top, found.bottom) == ("10", "5")
    assert found.text == "rows: 9 at first, 9 now, 1 point out of the ordinary"
    assert found.line.count(",") == 3
    assert found.band.endswith("Z")
    assert chart(rows[:1], "rows") is None
    same = chart([metric("ok", 2, 4) | {"low": None}] * 2, "rows")
    assert same
    assert same.band == ""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `make run` now", "run <code>make run</code> now"),
        ("a ` alone & <b>", "a ` alone &amp; &lt;b&gt;"),
        ("null value\nDETAIL:  Failing row contains (1, Ada (x), null).",
         "null value<br>DETAIL:  Failing row contains (***)"),
        ("Key (name)=(Ada) already exists.", "Key (name)=(***)"),
        ('invalid input syntax for type integer: "Ada"',
         "invalid input syntax for type integer: &#34;***&#34;"),
        (None, ""),
    ],
)  # fmt: skip
def test_prose_is_escaped_and_never_shows_the_row_of_a_broken_constraint(
    text: str | None, html: str
) -> None:
    assert prose(text) == html


def test_a_change_has_its_sign_and_a_page_a_name_that_a_path_can_hold() -> None:
    assert [change(9, 9), change(2000, 1), change(1, 2), change(None, 2)] == [
        "same", "+1,999", "-1", "",
    ]  # fmt: skip
    assert table_page("a/b c#é") == "tables/a_b_c_é.html"


def test_durations_have_the_unit_that_a_person_would_use() -> None:
    said = [span(seconds) for seconds in (None, 0.0514, 0.999, 59, 600, 7200, 400_000)]
    assert said == ["", "51 ms", "1.0 s", "59.0 s", "10 min", "2 h", "5 days"]
