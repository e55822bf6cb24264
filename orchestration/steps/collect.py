"""Keep what describes the published marts: dbt's docs, the catalog, the lineage of columns."""

from typing import TYPE_CHECKING

from orchestration import dbt
from orchestration.environment import published_state
from orchestration.lineage.newest import LINEAGE
from orchestration.records import PUBLISHED
from orchestration.steps.lineage import trace_columns

if TYPE_CHECKING:
    from orchestration.run import Run

PUBLISHED_ARTIFACTS = ("manifest.json", "catalog.json", "index.html")


def collect(run: "Run") -> str:
    """Document what readers see now: dbt's docs and the catalog of the published marts."""
    target = dbt.generate_docs(run.settings, run.folder.path / "logs")
    dbt.keep_artifacts(target, run.folder.path / "dbt", ("catalog.json",))
    if not (run.folder.path / "dbt" / "manifest.json").exists():
        dbt.keep_artifacts(target, run.folder.path / "dbt", ("manifest.json",))
    traced = trace_columns(run, target)
    if run.record.status == PUBLISHED:
        dbt.keep_artifacts(target, published_state(run.settings), PUBLISHED_ARTIFACTS)
        dbt.keep_artifacts(run.folder.path, published_state(run.settings), (LINEAGE,))
    return f"record and artifacts in {run.folder.path.relative_to(run.settings.root)}; {traced}"
