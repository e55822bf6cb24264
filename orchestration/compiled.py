"""The project as SQL: of the working tree, of a commit, and as it is published."""

import os
import tempfile
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import dbt
from orchestration.artifacts import read_artifact
from orchestration.environment import published_state, tool_environment
from orchestration.errors import BuildBroke, ConfigurationError
from orchestration.lineage.build import Lineage, build
from orchestration.lineage.endpoints import Source
from orchestration.lineage.graph import read_graph
from orchestration.lineage.newest import LINEAGE
from orchestration.provenance import MODELS, merge_base, unpack_commit
from orchestration.settings import Settings
from orchestration.steps.lineage import known_sources
from orchestration.warehouse import open_warehouse

if TYPE_CHECKING:
    from ingestion.contract import Contract


def lineages(settings: Settings, base: str | None) -> tuple[str, Lineage, Lineage]:
    """What to compare with, in words; its lineage; and that of the working tree.

    Args:
        settings: of the project.
        base: a git reference; None is what is published, or else the merge-base with main.

    Raises:
        ConfigurationError: nothing is published and git does not know the reference.
        BuildBroke: a side does not compile.
    """
    os.environ.update(tool_environment(settings, open_warehouse(settings)))
    sources = known_sources(settings)
    now = settings.root / "target" / "impact"
    published = published_state(settings)
    compiled = _compile(settings, settings.root, now)
    catalog = read_artifact(published / "catalog.json")
    after = build(compiled, catalog, sources)
    if base is None and (published / "manifest.json").exists():
        return "the published marts", kept_lineage(published, published / LINEAGE, sources), after
    ref = base or merge_base(settings.root)
    with tempfile.TemporaryDirectory(prefix="ecluse-impact-") as folder:
        project = Path(folder)
        unpack_commit(settings.root, ref, (*MODELS, "ingestion"), project)
        there = {name: replace(known, contracts=_contracts(project, name))
                 for name, known in sources.items()}  # fmt: skip
        before = build(_compile(settings, project, project / "target"), catalog, there)
    return ref, before, after


def _compile(settings: Settings, project: Path, target: Path) -> dict[str, object]:
    args = dbt.compile_args(settings, settings.root / "logs", project, target)
    outcome = dbt.run_dbt(args)
    if not outcome.success:
        where = "the working tree" if project == settings.root else "the base"
        raise BuildBroke(f"The models of {where} do not compile: {'; '.join(outcome.said[:2])}")
    return read_artifact(target / "manifest.json")


def kept_lineage(folder: Path, graph: Path, sources: dict[str, Source]) -> Lineage:
    """The lineage of the artifacts in `folder`, with the contracts that the kept `graph` has."""
    found = build(
        read_artifact(folder / "manifest.json"), read_artifact(folder / "catalog.json"), sources
    )
    kept = read_graph(graph)
    endpoints = {id_: node for id_, node in kept.nodes.items() if node.kind == "endpoint"}
    if endpoints:
        today = {id_ for id_, node in found.graph.nodes.items() if node.kind == "endpoint"}
        found.graph.nodes = {id_: node for id_, node in found.graph.nodes.items()
                             if id_ not in today} | endpoints  # fmt: skip
        edges = [edge for edge in kept.edges if edge.from_node in endpoints]
        found.graph.edges += edges
    return found


def _contracts(project: Path, name: str) -> "tuple[Contract, ...]":
    """The contracts of a source as that commit has them; none where it had no such source."""
    from ingestion.contract import Contract

    path = project / "ingestion" / "sources" / name / "contract.py"
    if not path.exists():
        return ()
    spec = spec_from_file_location(f"{name}_contract_of_base", path)
    if spec is None or spec.loader is None:
        return ()
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigurationError(
            f"The contract of {name} at the base cannot be read by today's code: {error}."
        ) from error
    return tuple(each for each in vars(module).values() if isinstance(each, Contract))
