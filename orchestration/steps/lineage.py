"""Trace the columns of a run, from the API's JSON to the exposures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import ops
from orchestration.artifacts import read_artifact
from orchestration.lineage.build import Lineage, build
from orchestration.lineage.endpoints import Source
from orchestration.lineage.newest import LINEAGE
from orchestration.records import read_runs
from orchestration.settings import Settings

if TYPE_CHECKING:
    from ingestion.load import LoadRecord
    from orchestration.run import Run

FAR_ENOUGH = 50  # runs to look back for one that has loaded something


def trace_columns(run: "Run", target: Path) -> str:
    """Write the graph into the run's folder and to ops; returns a sentence.

    Args:
        run: the run.
        target: where dbt has put its manifest and catalog.
    """
    found = read_lineage(run.settings, target)
    run.folder.path.mkdir(parents=True, exist_ok=True)
    found.graph.save(run.folder.path / LINEAGE)
    run.record.lineage = ops.save_lineage(run.session, found.graph.edges)
    unknown = [node.name for node in found.graph.nodes.values() if node.unknown]
    if unknown:
        run.note(f"columns whose origin cannot be told are in {', '.join(sorted(unknown))}")
    return f"{sum(len(node.columns) for node in found.graph.nodes.values()):,} columns traced"


def read_lineage(settings: Settings, target: Path, catalog: Path | None = None) -> Lineage:
    """The lineage of a project that dbt has compiled into `target`."""
    manifest = read_artifact(target / "manifest.json")
    return build(
        manifest, read_artifact(catalog or target / "catalog.json"), known_sources(settings)
    )


def known_sources(settings: Settings) -> dict[str, Source]:
    """What the contracts and the newest loads say of each source."""
    from ingestion.registry import SOURCES, contracts_of

    found = {}
    for name in SOURCES:
        endpoints, tables = dict[str, str](), dict[str, dict[str, str]]()
        for run_id, load in _loads(settings.runs_dir, name):
            endpoints = load.get("endpoints") or {}
            tables = _dlt_tables(settings.runs_dir / run_id / "dlt" / f"{name}.schema.yaml")
            break
        found[name] = Source(contracts_of(name), endpoints, tables)
    return found


def loaded_source(run: "Run", load: "LoadRecord") -> Source:
    """What the contracts and a load of this run say of its source."""
    from ingestion.registry import contracts_of

    tables = _dlt_tables(run.folder.path / "dlt" / f"{load.source}.schema.yaml")
    return Source(contracts_of(load.source), load.endpoints, tables)


def _loads(runs_dir: Path, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The loads of a source that went well, newest first."""
    for run in read_runs(runs_dir, FAR_ENOUGH):
        for load in run.get("loads") or ():
            if load.get("source") == source and not load.get("error"):
                yield run["run_id"], load


def _dlt_tables(path: Path) -> dict[str, dict[str, str]]:
    """The tables of dlt's schema: column to type."""
    import yaml

    if not path.exists():
        return {}
    tables = yaml.safe_load(path.read_text()).get("tables", {})
    return {
        name: {column: said.get("data_type", "") for column, said in table["columns"].items()}
        for name, table in tables.items()
    }
