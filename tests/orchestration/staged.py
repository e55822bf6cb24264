"""The small pipe, its stages done one by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ingestion.load import LoadRecord
from orchestration.console import Console
from orchestration.records import RunRecord, read_run
from orchestration.run import Run
from orchestration.stages.stage import Stage, run_stage
from orchestration.steps.build import build
from orchestration.steps.publish import publish_marts
from tests.databases import query
from tests.orchestration.small import SmallPipe

ACTS: dict[str, Callable[[Run], str]] = {
    "build": build, "publish": publish_marts, "collect": lambda run: "collected",
}  # fmt: skip


class Staged(SmallPipe):
    """The small pipe, a stage at a time."""

    def stage(self, name: str, act: Callable[[Run], str] | None = None, *sources: str) -> RunRecord:
        settings = replace(self.settings, run_id=self.run_id or "night")
        try:
            return run_stage(settings, Stage(name, act or ACTS[name], sources), Console(quiet=True))
        finally:
            self._keep_parses()

    def ingest(
        self, *sources: str, fails: str = "", how: type[Exception] = ValueError
    ) -> RunRecord:
        def act(run: Run) -> str:
            run.record.loads = [load for load in run.record.loads if load.source not in sources]
            for source in sources:
                record = LoadRecord(source, f"raw_{source}", run.record.started_at)
                run.record.loads.append(record)
                if source == fails:
                    record.error = "no answer"
                    raise how("no answer")
            return f"{len(run.record.loads)} sources"

        return self.stage("ingest", act, *sources)

    def file(self) -> dict[str, Any]:
        return read_run(self.root / "runs", self.run_id or "night")

    def in_ops(self) -> tuple:
        (row,) = query(self.warehouse, "select kind, status, exit_code from ops.runs")
        return row
