"""Build and test the marts where no reader sees them."""

from functools import partial
from typing import TYPE_CHECKING

from orchestration import artifacts, dbt
from orchestration.drift.watch import watch
from orchestration.errors import BuildBroke, DataRejected
from orchestration.provenance import keep_models
from orchestration.publication.chamber import prepare, seal
from orchestration.publication.unchanged import Plan, copy_marts, plan_deployment
from orchestration.steps.lineage import known_sources

if TYPE_CHECKING:
    from orchestration.run import Run

SHOWN = 5  # failed tests named in the reason; all are in the record


def build(run: "Run") -> str:
    """Check the sources' freshness, then build and test everything, the marts in marts__next.

    Raises:
        DataRejected: a test of severity "error" failed; says which and how many rows.
        BuildBroke: dbt or a model broke.
    """
    target, keep = dbt.build_path(run.settings), run.folder.path / "dbt"
    logs = run.folder.path / "logs"
    dbt.forget_artifacts(target, ("manifest.json", "sources.json", "run_results.json"))
    _prepare(run)
    dbt.run_dbt(dbt.freshness_args(run.settings, logs))
    dbt.keep_artifacts(target, keep, ("sources.json",))
    run.record.freshness = artifacts.read_freshness(keep)
    stale = [f"{f.source}.{f.table_name}" for f in run.record.freshness if f.status != "pass"]
    if stale:
        run.note(f"stale sources: {', '.join(stale)}")
    return _build(run, dbt.build_args(run.settings, logs))


def deploy(run: "Run", full: bool = False) -> str:
    """Build what the working tree's code changes and all downstream of it, on the live data.

    Marts that it leaves alone are copied from the live version, so that the next version is whole.

    Raises:
        DataRejected, BuildBroke: as `build` does.
    """
    target, logs = dbt.build_path(run.settings), run.folder.path / "logs"
    plan = plan_deployment(run.session, run.settings.runs_dir) if not full else Plan("as asked")
    if plan.state is None:
        run.note(f"everything is built anew: {plan.why}")
        return build(run)
    dbt.forget_artifacts(target, ("manifest.json", "run_results.json"))
    changed = dbt.changed_nodes(run.settings, logs, plan.state)
    marts = artifacts.read_marts(target)
    copied = {name for node, name in marts.items() if node not in changed} & plan.tables
    if not changed and copied == plan.tables:
        run.idle = True
        return f"no model differs from version {plan.live}, which readers have"
    _prepare(run)
    copy_marts(run.session, sorted(copied))
    anew = [node.split(".")[2] for node, name in marts.items() if name not in copied]
    said = _build(run, dbt.changed_args(run.settings, logs, plan.state, anew))
    return f"{said}; {len(copied)} of {len(marts)} marts copied from version {plan.live}"


def _prepare(run: "Run") -> None:
    left = prepare(run.session, run.record.run_id, run.record.git_commit)
    if run.record.git_dirty or run.record.git_commit is None:
        keep_models(run.settings.root, run.folder.path)
    if left and left != run.record.run_id:
        run.note(f"dropped the marts that run {left} had built and not published")


def _build(run: "Run", args: list[str]) -> str:
    target, keep = dbt.build_path(run.settings), run.folder.path / "dbt"
    run.events.building(partial(known_sources, run.settings))
    try:
        outcome = dbt.run_dbt(args, run.node)
    finally:
        dbt.keep_artifacts(target, keep, ("manifest.json", "run_results.json"))
        run.record.nodes, run.record.tests = artifacts.read_build(keep)
        artifacts.write_failed_queries(keep, run.folder.path / "failed")
    warned = [test.name for test in run.record.tests if test.status == "warn"]
    if warned:
        run.note(f"tests that warn: {', '.join(warned)}")
    _judge(run, outcome)
    measured = watch(run, keep)
    seal(run.session, artifacts.read_masked(keep), run.settings.role("pii"))
    models = sum(node.resource_type == "model" for node in run.record.nodes)
    passed = sum(test.status in {"pass", "success"} for test in run.record.tests)
    return (
        f"{models} models, {passed} of {len(run.record.tests)} tests passed"
        + (f", {len(warned)} warned" if warned else "")
        + measured
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _judge(run: "Run", outcome: dbt.DbtOutcome) -> None:
    """Tell bad data from a broken build: only a test that ran and found rows is bad data."""
    broken = [n for n in run.record.nodes if n.status in {"error", "runtime error"}]
    failed = [test for test in run.record.tests if test.status == "fail"]
    where = f"see `.venv/bin/ecluse runs show {run.record.run_id}`"
    if broken:
        first = broken[0]
        said = " ".join((first.message or "").split())
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise BuildBroke(f"{first.resource_type} {first.name}{more} broke: {said}; {where}")
    if failed:
        names = "; ".join(f"{t.name} ({_count(t.failures or 0, 'row')})" for t in failed[:SHOWN])
        more = f" (and {len(failed) - SHOWN} more)" if len(failed) > SHOWN else ""
        raise DataRejected(
            f"{_count(len(failed), 'test')} failed: {names}{more}. Nothing was published, readers "
            f"keep the marts they had. The rows: {where}"
        )
    if not outcome.success:
        raise BuildBroke(f"dbt build failed: {'; '.join(outcome.said[:2]) or where}")
