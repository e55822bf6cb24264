"""One event, and the facets of its run and job."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    data_quality_assertions_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    parent_run,
    processing_engine_run,
    sql_job,
    tags_run,
)

from orchestration.openlineage.names import PRODUCER

set_producer(PRODUCER)
Json = dict[str, Any]


@dataclass(frozen=True)
class Engine:
    """What does the work of a job."""

    name: str  # ecluse, dlt, dbt
    version: str
    kind: str  # of the job: RUN, STEP, LOAD, RESOURCE, MODEL, TEST, ...


@dataclass(frozen=True)
class Started:
    """A run of a job that has begun, and its place below other runs."""

    job: str
    run_id: str
    engine: Engine
    above: "Started | None" = None
    facets: dict[str, RunFacet] = field(default_factory=dict)  # of its run, in all its events

    @property
    def root(self) -> "Started":
        """The run that all others belong to."""
        return self.above.root if self.above else self

    def below(self, other: "Started") -> bool:
        """Whether it is part of `other`."""
        return self.above is not None and (self.above == other or self.above.below(other))


def event_of(
    started: Started, namespace: str, state: RunState, error: str = "", sql: str = ""
) -> RunEvent:
    """An event that has just happened, still without datasets."""
    engine = started.engine
    made = processing_engine_run.ProcessingEngineRunFacet(engine.version, engine.name)
    run: dict[str, RunFacet] = {**started.facets, "processing_engine": made}
    if started.above:
        run["parent"] = _parent(started.above, started.root, namespace)
    if error:
        language = "SQL" if engine.name == "dbt" else "PYTHON"
        run["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, language)
    type_ = job_type_job.JobTypeJobFacet("BATCH", engine.name.upper(), engine.kind)
    job: dict[str, JobFacet] = {"jobType": type_}
    if sql:
        job["sql"] = sql_job.SQLJobFacet(sql, "postgres")
    return RunEvent(
        eventType=state,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(started.run_id, run),
        job=Job(namespace, started.job, job),
    )


def named(**tags: str | None) -> dict[str, RunFacet]:
    """What a person knows a run by, as tags."""
    tag = tags_run.TagsRunFacetFields
    found = [tag(key, value, "ECLUSE") for key, value in tags.items() if value]
    return {"tags": tags_run.TagsRunFacet(found)}


def days(since: date | None, until: date | None) -> dict[str, RunFacet]:
    """The days that a load was asked for, both included."""
    if since is None:
        return {}
    first, after = _midnight(since), _midnight(until + timedelta(days=1)) if until else None
    return {"nominalTime": nominal_time_run.NominalTimeRunFacet(first, after)}


def assertion(
    test: Json, success: bool, failures: int
) -> data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet:
    """What a dbt test has found; rows are counted, never shown."""
    kind = (test.get("test_metadata") or {}).get("name") or "custom_sql"
    found = data_quality_assertions_dataset.Assertion(
        assertion=kind,
        success=success,
        column=test.get("column_name"),
        severity=str(test.get("config", {}).get("severity", "error")).lower(),
        name=test.get("name"),
        description=test.get("description") or None,
        expected="0",
        actual=str(failures),
        params=None,
    )
    return data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet([found])


def _parent(above: Started, root: Started, namespace: str) -> parent_run.ParentRunFacet:
    return parent_run.ParentRunFacet(
        parent_run.Run(above.run_id),
        parent_run.Job(namespace, above.job),
        parent_run.Root(parent_run.RootRun(root.run_id), parent_run.RootJob(namespace, root.job)),
    )


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()
