"""What a run says is wrong, and what it says is over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.load import LoadRecord
from orchestration.artifacts import NodeResult
from orchestration.incidents.causes import BAD_DATA, ERROR, WARN, Cause, Looked, briefly
from orchestration.incidents.conclude import found
from orchestration.records import CANCELLED, RunRecord, StepRecord
from tests.incidents.made import (
    ORDERS,
    PEOPLE,
    POSITIVE,
    PROJECT,
    RAW,
    TOTALS,
    aged,
    outcome,
    record,
)  # fmt: skip


def causes(made: RunRecord, *standing: str) -> dict[str, Cause]:
    return {each.key: each for each in found(made, PROJECT, standing)}


def load(error: str | None = None, **more: Any) -> LoadRecord:
    return LoadRecord("shop", "raw_shop", datetime.now(UTC), error=error, **more)


def drift(table: str, metric: str = "rows", score: float = 9.0) -> dict[str, Any]:
    return {"table_name": table, "column_name": "", "metric": metric, "value": 5.0, "low": 9.0,
            "high": 11.0, "expected": 10.0, "score": score, "state": "anomaly"}  # fmt: skip


def test_a_good_run_has_no_cause() -> None:
    made = record(tests=[outcome("pass")], freshness=[aged("pass")], loads=[load()])
    assert causes(made) == {}


def test_each_failed_test_is_a_cause_with_its_rows_and_what_it_reads() -> None:
    made = record(
        exit_code=BAD_DATA,
        tests=[
            outcome("fail", failures=7),
            outcome("warn", TOTALS, 2),
            outcome("pass", "test.x.ok"),
        ],
    )
    positive, totals = causes(made).values()
    assert (positive.key, positive.severity, positive.size) == (f"test:{POSITIVE}", ERROR, 7)
    assert positive.title == "test positive of marts.orders failed"
    assert (totals.severity, totals.nodes) == (WARN, (TOTALS, PEOPLE, RAW))
    assert totals.title == "test totals of raw_shop.people and raw_shop.orders failed"


def test_a_test_that_could_not_run_is_no_count_of_rows() -> None:
    (only,) = causes(record(tests=[outcome("error")])).values()
    assert (only.unit, only.title) == ("", "test positive of marts.orders could not run")


def test_a_source_is_stale_once_however_many_tables_are() -> None:
    made = record(freshness=[aged("warn"), aged("error", "people", 50), aged("pass", "rest")])
    (only,) = causes(made).values()
    assert (only.key, only.severity, only.size) == ("freshness:shop", ERROR, 50)
    assert only.title == "source shop is stale: orders, people; the newest row is 50 h old"
    assert only.nodes == (RAW, PEOPLE)


def test_rejected_rows_are_a_cause_where_the_threshold_says_so() -> None:
    warned = load(exceeded={"orders": "orders: 3 of 10 rows rejected"}, rejected={"orders": 3})
    (only,) = causes(record(loads=[warned])).values()
    assert (only.key, only.severity, only.size) == ("rejected:shop.orders", WARN, 3)
    stopped = load("too many", exceeded={"orders": "9 of 10"}, rejected={"orders": 9})
    steps = [StepRecord("ingest", "failed"), StepRecord("build", "skipped")]
    (only,) = causes(record(exit_code=BAD_DATA, loads=[stopped], steps=steps)).values()
    assert (only.severity, only.size) == (ERROR, 9)


def test_tables_that_drift_with_what_they_are_made_of_are_one_cause() -> None:
    tables = {"marts.orders": "alert", "raw_shop.orders": "note", "raw_shop.people": "note"}
    made = record(drifts=[drift(table) for table in tables], measured=tables)
    orders, people = sorted(causes(made).values(), key=lambda each: each.key)
    assert (orders.key, orders.severity) == ("drift:raw_shop.orders", WARN)
    assert orders.title.endswith("rows is 5, expected 9 to 11 (and 1 more tables)")
    assert people.key == "drift:raw_shop.people"


def test_the_lag_of_a_stale_source_is_no_second_cause() -> None:
    lag, rows = drift("raw_shop.orders", "lag_minutes"), drift("raw_shop.people")
    made = record(freshness=[aged("warn")], drifts=[lag, rows])
    assert sorted(causes(made)) == ["drift:raw_shop.people", "freshness:shop"]
    assert list(causes(record(drifts=[lag]))) == ["drift:raw_shop.orders"]


def test_a_drift_keeps_its_incident_when_its_source_comes_to_drift_too() -> None:
    made = record(drifts=[drift("raw_shop.orders")], measured={"raw_shop.orders": "note"})
    assert list(causes(made, "drift:marts.orders")) == ["drift:marts.orders"]


def test_a_source_that_cannot_be_loaded_is_its_own_cause() -> None:
    steps = [StepRecord("ingest", "failed")]
    made = record(exit_code=1, loads=[load("404 at /orders")], steps=steps, reason="stopped")
    (only,) = causes(made).values()
    assert only.key == "run:ingest:shop"
    assert only.title == "source shop could not be loaded: 404 at /orders"


def test_models_that_break_are_one_cause_without_the_data_that_postgres_quotes() -> None:
    said = 'Database Error in model orders\n  invalid input syntax for type integer: "Ada"'
    nodes = [NodeResult(ORDERS, "orders", "model", "error", said, None, None, 1.0, None, None)]
    steps = [StepRecord("ingest", "done"), StepRecord("build", "failed")]
    (only,) = causes(record(exit_code=1, nodes=nodes, steps=steps)).values()
    assert (only.key, only.nodes) == ("run:build", (ORDERS,))
    assert only.title.endswith('invalid input syntax for type integer: "***"')


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('value out of range: "1815-12-10"', 'value out of range: "***"'),
        ("Key (email)=(ada@example.org) already exists.", "Key (email)=(***)"),
        ('null value in column "id"\nDETAIL:  Failing row contains (null, Ada).',
         'null value in column "id" DETAIL: Failing row contains (***)'),
        ('relation "orders" does not exist', 'relation "orders" does not exist'),
    ],
)  # fmt: skip
def test_values_are_left_out_of_messages_and_names_are_not(said: str, shown: str) -> None:
    assert briefly(said) == shown


def test_data_that_was_refused_for_another_reason_is_a_cause_too() -> None:
    steps = [StepRecord("ingest", "done"), StepRecord("build", "failed")]
    made = record(exit_code=BAD_DATA, steps=steps, reason="a column would be gone")
    assert list(causes(made)) == ["run:build"]


def test_ctrl_c_a_lock_and_a_mistyped_command_are_no_causes() -> None:
    assert not causes(record(exit_code=4))
    assert not causes(record(exit_code=130, status=CANCELLED))
    mistyped = record(exit_code=2, reason="There is no version 99")
    mistyped.kind = "publish"
    assert not causes(mistyped)
    assert list(causes(record(exit_code=2, reason="ECLUSE_X is nonsense"))) == ["run:start"]


def test_a_terminated_run_and_a_dead_one_are_the_same_cause() -> None:
    assert list(causes(record(exit_code=143, status=CANCELLED))) == ["run:killed"]
    (only,) = causes(record(buried=["old"])).values()
    assert (only.key, only.past, only.title) == ("run:killed", True, "run old was killed")


def over(made: RunRecord, key: str, **details: Any) -> str | None:
    return Looked(made, PROJECT).over(key, details)


def test_a_run_that_did_not_look_ends_nothing() -> None:
    blind = record(exit_code=1, steps=[StepRecord("ingest", "failed")])
    for key in (f"test:{POSITIVE}", "test:test.x.gone", "freshness:shop", "rejected:shop.orders",
                "run:ingest:shop", "run:build", "run:killed"):  # fmt: skip
        assert over(blind, key) is None, key
    assert over(blind, "drift:marts.orders", tables={"marts.orders": []}) is None


def test_what_a_run_found_well_is_over() -> None:
    made = record(
        tests=[outcome("pass")], freshness=[aged("pass"), aged("pass", "people")], loads=[load()],
        measured={"marts.orders": "note"},
    )  # fmt: skip
    for key in (f"test:{POSITIVE}", "test:test.x.gone", "freshness:shop", "rejected:shop.orders",
                "run:ingest:shop", "run:build", "run:killed", "run:warehouse"):  # fmt: skip
        assert over(made, key), key
    assert over(made, "drift:marts.orders", tables={"marts.orders": []})


def test_a_skipped_test_one_stale_table_and_one_table_adrift_keep_theirs_open() -> None:
    made = record(
        tests=[outcome("skipped")], freshness=[aged("pass"), aged("warn", "people")],
        measured={"marts.orders": "note"}, drifts=[drift("marts.orders")],
    )  # fmt: skip
    assert over(made, f"test:{POSITIVE}") is None
    assert over(made, "freshness:shop") is None
    assert over(made, "drift:marts.orders", tables={"marts.orders": []}) is None
