"""Load one source into raw, all of it or nothing of it, and say what happened."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common import json
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.destinations.impl.postgres.postgres import PostgresParquetCopyJob
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from ingestion.errors import SourceFailed, WrongSetting, find_cause
from ingestion.heal import drop_packages, heal
from ingestion.home import at_home
from ingestion.intake import Intake
from ingestion.progress import Progress, Watch, ignore
from ingestion.quarantine import REJECTED, Again, Quarantine
from ingestion.registry import find_source

# dlt's own switch, off for Postgres: a file without rows breaks the load, a large one is held whole
PostgresParquetCopyJob._ingest_per_rowgroup = True
# dlt's own strips spaces off a password, and leaves those within it bare, which libpq may refuse
_bare = ConnectionStringCredentials.to_native_representation
ConnectionStringCredentials.on_resolved = lambda self: None  # type: ignore[method-assign]
ConnectionStringCredentials.to_native_representation = (  # type: ignore[method-assign]
    lambda self: _bare(self).replace(" ", "%20")
)

COUNT_LOADED = "select count(*) from {table} where _dlt_load_id = any(%s)"


@dataclass
class LoadRecord:
    """What one load did. Times are UTC; counts are rows."""

    source: str
    dataset: str
    started_at: datetime
    finished_at: datetime | None = None
    load_ids: list[str] = field(default_factory=list)
    loaded: dict[str, int] = field(default_factory=dict)  # table -> rows that raw did not hold yet
    received: dict[str, int] = field(default_factory=dict)  # resource -> rows the API sent
    pages: dict[str, int] = field(default_factory=dict)  # resource -> pages fetched
    endpoints: dict[str, str] = field(default_factory=dict)  # resource -> its URL, no secrets
    queries: dict[str, str] = field(default_factory=dict)  # resource -> what its first page asked
    retries: list[str] = field(default_factory=list)  # faults of the API that a retry got over
    mended: dict[str, int] = field(default_factory=dict)  # table -> rows a dead load had left
    dropped: list[str] = field(default_factory=list)  # packages of a dead load, never to be loaded
    rejected: dict[str, int] = field(default_factory=dict)  # table -> rows that broke the contract
    released: dict[str, int] = field(default_factory=dict)  # table -> rows that left the quarantine
    changes: list[str] = field(
        default_factory=list
    )  # columns that came or changed, a sentence each
    warned: list[str] = field(default_factory=list)  # where more was rejected than is usual
    exceeded: dict[str, str] = field(default_factory=dict)  # table -> how it passed a limit
    schema_hash: str | None = None
    error: str | None = None

    def healed(self) -> list[str]:
        """What had to be put right before this load, a sentence for each deed."""
        mended = ", ".join(f"{table} {rows:,}" for table, rows in self.mended.items())
        return [
            *(
                f"dropped the package {package} that a dead load had left"
                for package in self.dropped
            ),
            *([f"removed or revived rows that a dead load had left: {mended}"] if mended else []),
        ]


def load(  # noqa: PLR0913, PLR0917 - all but the first three have a default
    name: str,
    credentials: str,
    pipelines_dir: Path,
    artifacts: Path | None = None,
    watch: Watch = ignore,
    record: LoadRecord | None = None,
    run_id: str = "",
    again: dict[str, list[Again]] | None = None,
    most_pages: int | None = None,
    **options: Any,
) -> LoadRecord:
    """Load the source `name` into the dataset `raw_<name>`.

    Args:
        name: a source of the registry.
        credentials: a `postgresql://` URL.
        pipelines_dir: dlt's local folder; this source's is emptied first, because the warehouse
            holds all state.
        artifacts: where to put dlt's trace and schema, also after a failure.
        watch: told of each page and each load job.
        record: filled in as the load goes, so that a failure leaves what was known.
        run_id: what is written beside a row that is set aside.
        again: rows of the quarantine, by table, to be loaded instead of what the API has.
        most_pages: of each resource; all of them by default.
        options: arguments of the source function, such as base_url, and of its `Intake`: with
            `window`, only the cursor resources are loaded.

    Raises:
        SourceFailed, RowsRejected: with the sentence to show; nothing is visible in raw.
        WrongSetting: a setting or argument of the source is wrong.
        KeyError: no such source.
    """
    make_source = find_source(name)
    record = record or LoadRecord(name, f"raw_{name}", datetime.now(UTC))
    record.dropped = drop_packages(pipelines_dir / name)
    with at_home():
        quarantine = Quarantine(record, run_id, again)
        progress = Progress(record, watch, quarantine.judge, most_pages)
        pipeline = dlt.pipeline(
            name,
            pipelines_dir=str(pipelines_dir),
            destination=dlt.destinations.postgres(credentials),
            dataset_name=record.dataset,
            progress=progress,
        )
        try:
            source = _prepare(make_source, progress, quarantine, options)
            with pipeline.sql_client() as client:
                record.mended = heal(client)
            with pipeline.sql_client() as client:
                quarantine.remember(client)
            # of its own accord dlt would rewrite Arrow as csv, whose COPY turns '' into NULL
            pipeline.run(source, loader_file_format="parquet")
            with pipeline.sql_client() as client:
                quarantine.settle(client)
            _count(pipeline, record)
        except Exception as error:
            cause = find_cause(error) or _broken(name, error)
            record.error = str(cause)
            raise cause from error
        finally:
            record.finished_at = datetime.now(UTC)
            if artifacts:
                _save(pipeline, name, artifacts)
            # dlt's own copy of the trace quotes every argument, a secret too
            (Path(pipeline.working_dir) / "trace.pickle").unlink(missing_ok=True)
    return record


def _prepare(
    make_source: Any, progress: Progress, quarantine: Quarantine, options: dict[str, Any]
) -> DltSource:
    asked = {name: options.pop(name) for name in ("window", "allow_empty") if name in options}
    intake = Intake(quarantine, progress, **asked)
    source: DltSource = make_source(intake=intake, **options)
    logs = _cursor_resources(source)
    snapshots = source.resources.keys() - set(logs)
    for unknown in set(intake.allow_empty) - snapshots:
        raise WrongSetting(
            f"{unknown!r} is no snapshot resource that could be empty: "
            f"{source.name} has {', '.join(sorted(snapshots))}."
        )
    if intake.window and not logs:
        raise WrongSetting(f"{source.name} has no log whose days could be loaded again.")
    if intake.window:
        source = source.with_resources(*logs)
    if quarantine.again:
        source = source.with_resources(*quarantine.again)
        logs = _cursor_resources(source)
    intake.logs.update(logs)
    return source


def _cursor_resources(source: DltSource) -> list[str]:
    return [
        name
        for name, resource in source.selected_resources.items()
        if resource.write_disposition == "append"
    ]


def _count(pipeline: dlt.Pipeline, record: LoadRecord) -> None:
    trace = pipeline.last_trace
    record.load_ids = list(trace.last_load_info.loads_ids) if trace and trace.last_load_info else []
    record.schema_hash = pipeline.default_schema.version_hash
    with pipeline.sql_client() as client:
        tables = pipeline.default_schema.data_table_names()
        for table in (name for name in tables if not name.endswith(REJECTED)):
            sql = COUNT_LOADED.format(table=client.escape_column_name(table))
            rows = client.execute_sql(sql, record.load_ids)
            record.loaded[table] = rows[0][0] if rows else 0


def _save(pipeline: dlt.Pipeline, name: str, artifacts: Path) -> None:
    artifacts.mkdir(parents=True, exist_ok=True)
    if pipeline.last_trace:
        with suppress(AssertionError):  # dlt cannot tell of a load that broke before its first job
            trace = json.dumps(pipeline.last_trace.asdict(), pretty=True)
            (artifacts / f"{name}.trace.json").write_text(trace)
    if pipeline.default_schema_name:
        schema = pipeline.default_schema.to_pretty_yaml()
        (artifacts / f"{name}.schema.yaml").write_text(schema)


def _broken(name: str, error: Exception) -> SourceFailed:
    step = f" in the step {error.step!r}" if isinstance(error, PipelineStepFailed) else ""
    root: BaseException | None = error
    while root:
        if isinstance(root, ConfigurationException):
            where = f"ingestion/.dlt/config.toml and SOURCES__{name.upper()}__* in the environment"
            return WrongSetting(f"{name}: {_first_line(root)}; look at {where}.")
        last, root = root, root.__cause__ or root.__context__
    said = _first_line(last)
    return SourceFailed(f"{name}: the load broke{step}: {said}. Nothing of it is visible.")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
