"""A small project's manifest, and what its runs may have seen."""

from typing import Any

from orchestration.artifacts import Freshness, TestResult
from orchestration.incidents.causes import ERROR, Cause
from orchestration.incidents.project import Project
from orchestration.records import RunRecord, StepRecord

ORDERS, STAGING = "model.x.orders", "model.x.stg_orders"
RAW, PEOPLE = "source.x.shop.orders", "source.x.shop.people"
POSITIVE, TOTALS = "test.x.positive", "test.x.totals"
DASHBOARD = "exposure.x.dashboard"


def manifest() -> dict[str, Any]:
    """shop.orders -> stg_orders -> orders -> a dashboard; a test on orders and one on both raws."""

    def model(name: str, schema: str, **config: Any) -> dict[str, Any]:
        return {"resource_type": "model", "name": name, "alias": name, "schema": schema,
                "columns": {}, "config": config, "description": f"All {name}."}  # fmt: skip

    def source(name: str) -> dict[str, Any]:
        return {"resource_type": "source", "source_name": "shop", "name": name, "identifier": name,
                "schema": "raw_shop", "columns": {},
                "config": {"meta": {"owner": "platform"}}}  # fmt: skip

    def test(name: str, attached: str | None) -> dict[str, Any]:
        return {"resource_type": "test", "name": name, "alias": name, "schema": "dbt_test__audit",
                "attached_node": attached, "columns": {}, "config": {}}  # fmt: skip

    up = {ORDERS: [STAGING], STAGING: [RAW], DASHBOARD: [ORDERS], POSITIVE: [ORDERS],
          TOTALS: [PEOPLE, RAW], RAW: [], PEOPLE: []}  # fmt: skip
    down: dict[str, list[str]] = {each: [] for each in up}
    for child, parents in up.items():
        for parent in parents:
            down[parent].append(child)
    return {
        "groups": {"group.x.sales": {
            "resource_type": "group", "name": "sales",
            "owner": {"name": "Sales analytics", "email": "sales@example.org"},
        }},
        "nodes": {ORDERS: model("orders", "marts__next", group="sales"),
                  STAGING: model("stg_orders", "staging"),
                  POSITIVE: test("positive", ORDERS), TOTALS: test("totals", None)},
        "sources": {RAW: source("orders"), PEOPLE: source("people")},
        "exposures": {DASHBOARD: {
            "resource_type": "exposure", "name": "dashboard", "type": "dashboard",
            "label": "Morning", "owner": {"name": "Boardroom", "email": "board@example.org"},
        }},
        "parent_map": up,
        "child_map": down,
    }  # fmt: skip


PROJECT = Project(manifest())


def record(run_id: str = "r", exit_code: int | None = 0, **found: Any) -> RunRecord:
    """A whole run that ended."""
    made = RunRecord(run_id, "run", exit_code=exit_code, **found)
    made.steps = made.steps or [StepRecord(name, "done") for name in ("ingest", "build", "publish")]
    return made


def outcome(status: str, unique_id: str = POSITIVE, failures: int | None = None) -> TestResult:
    """The result of a test."""
    on = {POSITIVE: ORDERS, TOTALS: PEOPLE}.get(unique_id)
    name = unique_id.rpartition(".")[2]
    return TestResult(unique_id, name, on, None, "error", status, failures, None, 0.1)


def aged(status: str, table: str = "orders", hours: float = 30.0) -> Freshness:
    """The age of a raw table."""
    return Freshness("shop", table, status, "2026-01-01T00:00:00Z", hours * 3600)


def cause(size: float = 1.0, severity: str = ERROR, key: str = "test:t", **more: Any) -> Cause:
    """Something that is wrong."""
    return Cause(key, key.partition(":")[0], severity, "it is wrong", size, "rows", **more)
