"""A project folder with records of runs as a running Écluse writes them, and pages of the site."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.live.progress import FILE
from orchestration.records import RunFolder, RunRecord, StepRecord
from orchestration.settings import Settings, load_settings
from orchestration.site.facts import Facts
from orchestration.site.pages import pages

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


def settings_of(root: Path, **variables: str) -> Settings:
    """Of a folder with no warehouse that answers."""
    nowhere = "postgresql://nobody:x@127.0.0.1:9/nothing"
    return load_settings({"ECLUSE_WAREHOUSE_URL": nowhere, **variables}, root)


def step(name: str, status: str = "done", seconds: float = 5.0) -> StepRecord:
    """A step that began as long ago as it took."""
    now = datetime.now(UTC)
    if status == "waiting":
        return StepRecord(name)
    ended = None if status == "running" else now
    return StepRecord(name, status, f"{name} said so", now - timedelta(seconds=seconds), ended)


def record(root: Path, run_id: str, *steps: StepRecord, **what: Any) -> RunRecord:
    """Write the record of a run; without more it is at work, in this process."""
    began = what.pop("started_at", datetime.now(UTC) - timedelta(seconds=9))
    made = RunRecord(run_id, "run", started_at=began, steps=list(steps), **what)
    RunFolder(root / "runs", run_id).save(made)
    return made


def ended(root: Path, run_id: str, status: str = "published", **what: Any) -> RunRecord:
    """Write the record of a run that is over."""
    when = {"started_at": LONG_AGO, "finished_at": LONG_AGO + timedelta(seconds=20)}
    code = 0 if status == "published" else 1
    return record(root, run_id, step("build"), status=status, exit_code=code, **when, **what)


def tell(root: Path, run_id: str, *lines: dict[str, Any]) -> None:
    """Add lines to the progress of a run."""
    now = datetime.now(UTC).isoformat()
    with (root / "runs" / run_id / FILE).open("a") as to:
        to.writelines(json.dumps({"at": now, **line}) + "\n" for line in lines)


def node(name: str, status: str = "started", seconds: float = 0.0) -> dict[str, Any]:
    """A line about a dbt node."""
    return {"node": name, "status": status, "seconds": seconds}


def write_site(root: Path, facts: Facts) -> None:
    """The pages of the site, without a warehouse, and dbt's docs as they are: inline code."""
    site = root / "site"
    for path, text in pages(facts, dbt_docs=True):
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (site / "dbt").mkdir(exist_ok=True)
    inline = (
        "<!doctype html><link rel=icon href=data:,><script>document.title = eval('1+1')</script>"
    )
    (site / "dbt" / "index.html").write_text(inline)


def as_row(made: RunRecord) -> dict[str, Any]:
    """A record as run.json gives it back."""
    return json.loads(json.dumps(asdict(made), default=str))
