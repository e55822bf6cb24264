"""The only door to dbt: `dbt_args` says what to run, `run_dbt` runs it.

In this process, not in a child: importing dbt takes as long as building the shop, and the commands
of one run share the import. What dbt did is read from its JSON artifacts, never from its objects.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import BuildBroke
from orchestration.settings import Settings

CANCELLED = "canceling statement due to user request"  # how Postgres ends it after Ctrl-C
WHY_NO_CATALOG = "CatalogGenerationError"  # a warning to dbt, whose error only counts them
PUBLISHED_VARS = '{"marts_schema": "marts"}'
# After Ctrl-C Python's own helper process clears away dbt's semaphores, and would say so in the
# terminal after we have gone.
HELPER_WARNINGS = "ignore:resource_tracker:UserWarning"


@dataclass(frozen=True)
class NodeNews:
    """What a node has just come to; the status of a start is "started"."""

    unique_id: str
    status: str
    seconds: float = 0.0
    message: str = ""
    rows: int | None = None  # written, where Postgres tells
    failures: int = 0  # rows that a test found


OnNode = Callable[[NodeNews], None]


@dataclass(frozen=True)
class DbtOutcome:
    """How a dbt command ended. A failed test is no success, and no crash either."""

    success: bool
    said: tuple[str, ...]  # dbt's error messages, in order
    listed: tuple[str, ...] = ()  # what `dbt ls` found


def dbt_args(
    settings: Settings,
    command: tuple[str, ...],
    target_path: Path,
    log_path: Path,
    *extra: str,
    project: Path | None = None,
    into: str = "prod",
) -> list[str]:
    """The arguments of one dbt command; by default against the published side of the warehouse."""
    return [
        *command,
        "--target", into,
        "--project-dir", str(project or settings.root),
        "--profiles-dir", str(settings.root),
        "--target-path", str(target_path),
        "--log-path", str(log_path),
        "--log-level", "none",  # progress comes by events; the log file has all of it
        "--log-level-file", "info",
        "--no-use-colors-file",
        "--write-json",
        *extra,
    ]  # fmt: skip


def build_args(settings: Settings, log_path: Path) -> list[str]:
    """`dbt build` of everything, the marts into marts__next."""
    threads = ("--threads", str(settings.dbt_threads))
    return dbt_args(settings, ("build",), build_path(settings), log_path, *threads)


def changed_args(settings: Settings, log_path: Path, state: Path, also: list[str]) -> list[str]:
    """`dbt build` of what differs from the manifest in `state`, all downstream, and `also`."""
    select = ("--select", "state:modified+", *also, "--state", str(state))
    return [*build_args(settings, log_path), *select]


def changed_nodes(settings: Settings, log_path: Path, state: Path) -> set[str]:
    """The unique ids of the models, seeds and snapshots that `changed_args` would build.

    Raises:
        BuildBroke: the project does not parse.
    """
    kinds = (part for kind in ("model", "seed", "snapshot") for part in ("--resource-type", kind))
    selection = ("--select", "state:modified+", "--state", str(state), *kinds)
    found = _list(settings, build_path(settings), log_path, ("unique_id",), *selection)
    return {node["unique_id"] for node in found}


def needed_history(settings: Settings, log_path: Path) -> set[tuple[str, str]]:
    """Schema and name of the source tables with `meta: {history: needed}`.

    Raises:
        BuildBroke: the project does not parse.
    """
    target = docs_path(settings) / "sources"  # of its own: a run may be building
    selection = ("--resource-type", "source", "--select", "config.meta.history:needed")
    found = _list(settings, target, log_path, ("schema", "identifier"), *selection)
    return {(table["schema"], table["identifier"]) for table in found}


def _list(
    settings: Settings, target: Path, log_path: Path, keys: tuple[str, ...], *selection: str
) -> list[dict[str, str]]:
    output = ("--output", "json", *(part for key in keys for part in ("--output-keys", key)))
    outcome = run_dbt(dbt_args(settings, ("ls",), target, log_path, *selection, *output))
    if not outcome.success:
        raise BuildBroke(f"dbt ls failed: {'; '.join(outcome.said[:2])}")
    return [json.loads(line) for line in outcome.listed]


def rebuild_args(
    settings: Settings, log_path: Path, project: Path, as_of_load: str | None
) -> list[str]:
    """`dbt build` of the models in `project`, without tests, as of a load, into replay schemas."""
    variables = json.dumps({"as_of_load": as_of_load})
    no_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    extra = ("--threads", str(settings.dbt_threads), "--vars", variables, "--full-refresh")
    return dbt_args(
        settings, ("build",), project / "target", log_path, *extra, *no_tests, project=project,
        into="replay",
    )  # fmt: skip


def ci_args(
    settings: Settings,
    log_path: Path,
    target: Path,
    command: str,
    as_of_load: str | None,
    *extra: str,
) -> list[str]:
    """A dbt command into the schemas of a CI job, as of a load."""
    variables = json.dumps({"as_of_load": as_of_load})
    more = ("--threads", str(settings.dbt_threads), "--vars", variables, *extra)
    return dbt_args(settings, (command,), target, log_path, *more, into="ci")


def list_changed(settings: Settings, log_path: Path, target: Path, state: Path | None) -> set[str]:
    """The unique ids of what differs from the manifest in `state`, downstream and tests included.

    Raises:
        BuildBroke: the project does not parse.
    """
    selection = ("--select", "state:modified+", "--state", str(state)) if state else ()
    kinds = ("model", "seed", "snapshot", "test", "unit_test")
    only = (part for kind in kinds for part in ("--resource-type", kind))
    found = _list(settings, target, log_path, ("unique_id",), "--vars", PUBLISHED_VARS,
                  *selection, *only)  # fmt: skip
    return {node["unique_id"] for node in found}


def compile_args(settings: Settings, log_path: Path, project: Path, target: Path) -> list[str]:
    """`dbt compile` of the models in `project`, with the marts named as readers know them."""
    extra = ("--vars", PUBLISHED_VARS, "--select", "resource_type:model", "resource_type:snapshot")
    return dbt_args(settings, ("compile",), target, log_path, *extra, project=project)


def freshness_args(settings: Settings, log_path: Path) -> list[str]:
    """`dbt source freshness`."""
    return dbt_args(settings, ("source", "freshness"), build_path(settings), log_path)


def docs_args(settings: Settings, log_path: Path) -> list[str]:
    """`dbt docs generate` of what readers see, where a plain `dbt docs serve` looks for it."""
    where = docs_path(settings)
    extra = ("--static", "--vars", PUBLISHED_VARS)  # the site has them as one file
    return dbt_args(settings, ("docs", "generate"), where, log_path, *extra)


def docs_path(settings: Settings) -> Path:
    """Where a plain `dbt docs serve` looks for the pages."""
    return settings.root / "target"


def build_path(settings: Settings) -> Path:
    """dbt's target path for builds: apart from a person's own, so that both keep their parse."""
    return settings.root / "target" / "build" / settings.place


def run_dbt(args: list[str], on_node: OnNode | None = None) -> DbtOutcome:
    """Run one dbt command in this process.

    Args:
        args: what `dbt_args` made.
        on_node: told when a node starts and ends.

    Raises:
        BuildBroke: dbt crashed or could not start; not raised for a failed test.
        KeyboardInterrupt: Ctrl-C; dbt has cancelled its statements by then.
    """
    os.environ.setdefault("PYTHONWARNINGS", HELPER_WARNINGS)
    from dbt.cli.main import dbtRunner

    said: list[str] = []

    def listen(event: Any) -> None:
        data, info = event.data, event.info
        error = info.level == "error" or info.name == WHY_NO_CATALOG
        if error and info.msg.strip() and CANCELLED not in info.msg:
            said.append(" ".join(info.msg.split()))
        node = getattr(data, "node_info", None)
        if on_node and node is not None and node.unique_id:
            if info.name == "NodeStart":
                on_node(NodeNews(node.unique_id, "started"))
            elif info.name == "NodeFinished" and CANCELLED not in str(data.run_result.message):
                on_node(_news(node.unique_id, node.node_status, data.run_result))

    with contextlib.redirect_stderr(io.StringIO()):  # click prints its usage errors there
        result = dbtRunner(callbacks=[listen]).invoke(args)
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception
    if result.exception is not None:
        first = str(result.exception).strip().splitlines() or [type(result.exception).__name__]
        raise BuildBroke(f"dbt {args[0]} broke: {' '.join(first[:3])}") from result.exception
    listed = tuple(result.result) if isinstance(result.result, list) else ()
    return DbtOutcome(bool(result.success), tuple(said), listed)


def _news(unique_id: str, status: str, result: Any) -> NodeNews:
    rows = dict(result.adapter_response).get("rows_affected", -1)
    return NodeNews(
        unique_id, status, result.execution_time, result.message,
        int(rows) if rows >= 0 else None, result.num_failures,
    )  # fmt: skip


def generate_docs(settings: Settings, log_path: Path) -> Path:
    """Document what readers see now; returns the folder of the pages.

    Raises:
        BuildBroke: dbt could not generate the docs.
    """
    outcome = run_dbt(docs_args(settings, log_path))
    if not outcome.success:
        raise BuildBroke(f"dbt docs generate failed: {'; '.join(outcome.said[:2])}")
    return docs_path(settings)


def forget_artifacts(target_path: Path, names: tuple[str, ...]) -> None:
    """Remove what an earlier command wrote: a crash may leave it, and it would pass for new."""
    for name in names:
        (target_path / name).unlink(missing_ok=True)


def keep_artifacts(target_path: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Copy artifacts of the command that has just ended: the next one overwrites them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (target_path / name).exists():
            shutil.copy2(target_path / name, folder / name)
