"""The rows that failed a test, kept in the run's folder: the warehouse forgets them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.failures import failed_rows
from orchestration.site.facts import Row, read_json

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.settings import Settings

SAMPLE = 10  # rows of each failed test
FAILED = {"fail", "warn", "error"}
BLANK = re.compile(r"\n\s*\n")  # Jinja leaves a line for each of its tags


@dataclass(frozen=True)
class FailedTest:
    """A test that did not pass, its query, and some of its rows with personal data masked."""

    id: str
    name: str
    status: str
    reads: list[str]
    message: str
    failures: int | None
    sql: str
    rows: list[Row]

    @property
    def columns(self) -> list[str]:
        """The columns of the rows."""
        return list(self.rows[0]) if self.rows else []


def keep_samples(session: "connection", settings: "Settings", run: Row) -> None:
    """Write some of the rows of each test that failed in `run`, masked, beside its query."""
    folder = settings.runs_dir / run["run_id"] / "failed"
    for test in run.get("tests", []):
        path = folder / f"{test['name']}.rows.json"
        if not test.get("stored_in") or path.exists():
            continue
        table = test["stored_in"].rpartition(".")[2].strip('"')
        rows = failed_rows(session, settings, table, SAMPLE)
        if rows is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"rows": rows}, default=str))


def read_failed(run: Row, folder: Path, parents: Mapping[str, list[str]]) -> list[FailedTest]:
    """The tests of a run that did not pass, those that stopped it first.

    Args:
        run: its record.
        folder: its files.
        parents: what each node reads, by unique id.
    """
    found = [
        FailedTest(
            test["unique_id"], test["name"], test["status"],
            [node.rpartition(".")[2] for node in parents.get(test["unique_id"], [])],
            test.get("message") or "", test.get("failures"), _text(folder, f"{test['name']}.sql"),
            read_json(folder / "failed" / f"{test['name']}.rows.json").get("rows", []),
        )
        for test in run.get("tests", []) if test["status"] in FAILED
    ]  # fmt: skip
    return sorted(found, key=lambda test: (test.status == "warn", test.name))


def _text(folder: Path, name: str) -> str:
    path = folder / "failed" / name
    return BLANK.sub("\n", path.read_text()) if path.exists() else ""
