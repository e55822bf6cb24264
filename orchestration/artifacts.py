"""dbt's JSON artifacts as narrow frozen dataclasses: rows of the ops tables."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAILED = {"fail", "warn"}
MARTS = {"marts", "marts__next"}  # where dbt builds them, and where its docs find them


@dataclass(frozen=True)
class NodeResult:
    """One dbt node of a build. Times are ISO 8601 in UTC."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    message: str | None
    relation: str | None
    rows_affected: int | None
    seconds: float
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True)
class TestResult:
    """One data or unit test. `failures` counts rows; None when the test could not run."""

    __test__ = False  # not a test class for pytest

    unique_id: str
    name: str
    tested: str | None
    column_name: str | None
    severity: str
    status: str
    failures: int | None
    message: str | None
    seconds: float
    stored_in: str | None = None  # the table of the rows that failed it


@dataclass(frozen=True)
class Freshness:
    """The age of one source table. `status`: pass, warn, error or runtime error."""

    source: str
    table_name: str
    status: str
    newest_at: str | None
    age_seconds: float | None


def read_build(folder: Path) -> tuple[list[NodeResult], list[TestResult]]:
    """The nodes and tests of the build whose manifest and run results are in `folder`."""
    results, manifest = (
        read_artifact(folder / "run_results.json"),
        read_artifact(folder / "manifest.json"),
    )
    known = {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}
    nodes, tests = [], []
    for result in results.get("results", []):
        node = known.get(result["unique_id"], {})
        nodes.append(_node(result, node))
        if result["unique_id"].startswith(("test.", "unit_test.")):
            tests.append(_test(result, node))
    return nodes, tests


def read_freshness(folder: Path) -> list[Freshness]:
    """The source ages found by `dbt source freshness`."""
    found = []
    for result in read_artifact(folder / "sources.json").get("results", []):
        _, _, source, table = result["unique_id"].split(".", 3)
        age = result.get("max_loaded_at_time_ago_in_s")
        found.append(Freshness(source, table, result["status"], result.get("max_loaded_at"), age))
    return found


def read_marts(folder: Path, schemas: Collection[str] = MARTS) -> dict[str, str]:
    """The marts of the manifest in `folder`: unique id to the name of the relation."""
    return {node["unique_id"]: node["alias"] for node in _marts(folder, schemas)}


def read_masked(folder: Path, schemas: Collection[str] = MARTS) -> dict[str, list[str]]:
    """The columns tagged `pii`, by mart; of marts that have any."""
    found = {}
    for node in _marts(folder, schemas):
        tagged = [name for name, column in node["columns"].items() if is_pii(column)]
        if tagged:
            found[node["alias"]] = tagged
    return found


def read_hidden(folder: Path, test: str, names: list[str]) -> set[str]:
    """Which columns of a test's stored rows may hold personal data.

    All that anybody tags `pii`. Where the test reads a table that has such a column, names that no
    table declares too: an alias may stand for it, as dbt's own `unique_field` and `value_field` do.
    """
    manifest = read_artifact(folder / "manifest.json")
    tables = {**manifest.get("nodes", {}), **manifest.get("sources", {})}
    tagged: dict[str, set[str]] = {}
    declared = set[str]()
    for unique_id, table in tables.items():
        columns = table.get("columns", {})
        declared |= columns.keys()
        tagged[unique_id] = {name for name, column in columns.items() if is_pii(column)}
    personal = set[str]().union(*tagged.values())
    tests = (n for n in tables.values() if n.get("alias") == test and n["resource_type"] == "test")
    node: dict[str, Any] = next(tests, {})
    reads, tested = node.get("depends_on", {}).get("nodes", []), node.get("column_name")
    may = any(tagged.get(each) for each in reads) and (tested is None or tested in personal)
    return personal | (set(names) - declared) if may or not node else personal


def _marts(folder: Path, schemas: Collection[str]) -> list[dict[str, Any]]:
    nodes = read_artifact(folder / "manifest.json").get("nodes", {}).values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    return [node for node in models if node["schema"] in schemas]


def is_pii(column: dict[str, Any]) -> bool:
    """Whether a column of a manifest is tagged as personal data."""
    config = column.get("config", {})
    return "pii" in {*column.get("tags", []), *config.get("tags", [])}


def write_failed_queries(folder: Path, into: Path) -> list[Path]:
    """The SQL of each data test that failed, as a file that psql can run to see its rows."""
    written = []
    for result in read_artifact(folder / "run_results.json").get("results", []):
        sql = result.get("compiled_code")
        if result["status"] in FAILED and result["unique_id"].startswith("test.") and sql:
            into.mkdir(parents=True, exist_ok=True)
            path = into / f"{result['unique_id'].split('.')[2]}.sql"
            path.write_text(sql.strip() + ";\n")
            written.append(path)
    return written


def _node(result: dict[str, Any], node: dict[str, Any]) -> NodeResult:
    timing = [part for part in result.get("timing", []) if part["name"] == "execute"]
    rows = result.get("adapter_response", {}).get("rows_affected")
    return NodeResult(
        unique_id=result["unique_id"],
        name=node.get("name", result["unique_id"]),
        resource_type=node.get("resource_type", result["unique_id"].split(".")[0]),
        status=result["status"],
        message=result.get("message"),
        relation=node.get("relation_name"),
        rows_affected=rows if isinstance(rows, int) and rows >= 0 else None,
        seconds=result["execution_time"],
        started_at=timing[0]["started_at"] if timing else None,
        finished_at=timing[0]["completed_at"] if timing else None,
    )


def _test(result: dict[str, Any], node: dict[str, Any]) -> TestResult:
    reads = node.get("depends_on", {}).get("nodes", [])
    tested = node.get("attached_node") or next(iter(reads), None)
    return TestResult(
        unique_id=result["unique_id"],
        name=node.get("name", result["unique_id"]),
        tested=tested,
        column_name=node.get("column_name"),
        severity=str(node.get("config", {}).get("severity", "error")).lower(),
        status=result["status"],
        failures=result.get("failures"),
        message=result.get("message"),
        seconds=result["execution_time"],
        stored_in=node.get("relation_name") if result["status"] in FAILED else None,
    )


def read_artifact(path: Path) -> dict[str, Any]:
    """An artifact, or nothing where dbt did not get as far as writing it."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found
