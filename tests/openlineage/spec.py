"""What the specification (OpenLineage 2-0-2 and its facets) demands, as JSON schemas by hand.

Only what is required, and types and formats of what we send; an unknown facet is an error here.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
TEXT, TRUTH = {"type": "string"}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
TIME = {"type": "string", "format": "date-time"}
URI = {"type": "string", "format": "uri"}
UUID = {"type": "string", "format": "uuid"}
formats = FormatChecker(["uuid"])


@formats.checks("date-time", raises=ValueError)
def _is_time(value: str) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None and "T" in value


@formats.checks("uri", raises=ValueError)
def _is_uri(value: str) -> bool:
    return bool(urlsplit(value).scheme)


def an_object(required: Json, optional: Json | None = None) -> Json:
    """An object with exactly these properties."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required),
            "additionalProperties": False}  # fmt: skip


def a_list(of: Json) -> Json:
    return {"type": "array", "items": of}


def facet(name: str, version: str, required: Json, optional: Json | None = None) -> Json:
    """A facet, whose _schemaURL names its schema in the version that we know."""
    url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    base = {"_producer": URI, "_schemaURL": {"const": url}}
    return an_object({**base, **required}, optional)


def some(facets: Json) -> Json:
    """Any of these facets, and no other."""
    return {"type": "object", "properties": facets, "additionalProperties": False}


JOB_ID = an_object({"namespace": TEXT, "name": TEXT}, {"facets": {"type": "object"}})
RUN_ID = an_object({"runId": UUID}, {"facets": {"type": "object"}})
OWNER = an_object({"name": TEXT}, {"type": TEXT})
FIELD = an_object({"name": TEXT}, {"type": TEXT, "description": TEXT})
CHANGE = an_object({"type": {"enum": ["DIRECT", "INDIRECT"]}})
INPUT = an_object(
    {"namespace": TEXT, "name": TEXT, "field": TEXT, "transformations": a_list(CHANGE)}
)
ASSERTION = an_object(
    {"assertion": TEXT, "success": TRUTH},
    {"column": TEXT, "severity": {"enum": ["error", "warn"]}, "name": TEXT, "description": TEXT,
     "expected": TEXT, "actual": TEXT},
)  # fmt: skip
TAG = an_object({"key": TEXT, "value": TEXT}, {"source": TEXT})
RUN_FACETS = some({
    "parent": facet("ParentRunFacet", "1-2-0", {"run": RUN_ID, "job": JOB_ID},
                    {"root": an_object({"run": RUN_ID, "job": JOB_ID})}),
    "processing_engine": facet("ProcessingEngineRunFacet", "1-1-1", {"version": TEXT},
                               {"name": TEXT}),
    "errorMessage": facet("ErrorMessageRunFacet", "1-0-1",
                          {"message": TEXT, "programmingLanguage": TEXT}),
    "nominalTime": facet("NominalTimeRunFacet", "1-0-1", {"nominalStartTime": TIME},
                         {"nominalEndTime": TIME}),
    "tags": facet("TagsRunFacet", "1-0-0", {"tags": a_list(TAG)}),
})  # fmt: skip
JOB_FACETS = some({
    "jobType": facet("JobTypeJobFacet", "2-0-4", {"processingType": {"const": "BATCH"},
                     "integration": TEXT}, {"jobType": TEXT}),
    "sql": facet("SQLJobFacet", "1-1-0", {"query": TEXT}, {"dialect": TEXT}),
})  # fmt: skip
LINEAGE = {"type": "object", "additionalProperties": an_object({"inputFields": a_list(INPUT)})}
DATASET_FACETS = some({
    "schema": facet("SchemaDatasetFacet", "1-2-0", {}, {"fields": a_list(FIELD)}),
    "documentation": facet("DocumentationDatasetFacet", "1-1-0", {"description": TEXT}),
    "ownership": facet("OwnershipDatasetFacet", "1-0-1", {}, {"owners": a_list(OWNER)}),
    "columnLineage": facet("ColumnLineageDatasetFacet", "1-2-0", {"fields": LINEAGE},
                           {"dataset": a_list(INPUT)}),
    "version": facet("DatasetVersionDatasetFacet", "1-0-1", {"datasetVersion": TEXT}),
})  # fmt: skip
ROWS = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", {}, {"rowCount": COUNT})
TESTS = facet("DataQualityAssertionsDatasetFacet", "1-1-0", {"assertions": a_list(ASSERTION)})
NAMED = {"namespace": TEXT, "name": TEXT}
EVENT = an_object({
    "eventType": {"enum": ["START", "COMPLETE", "ABORT", "FAIL"]},
    "eventTime": TIME,
    "producer": URI,
    "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
    "run": an_object({"runId": UUID}, {"facets": RUN_FACETS}),
    "job": an_object(NAMED, {"facets": JOB_FACETS}),
    "inputs": a_list(an_object(
        NAMED, {"facets": DATASET_FACETS, "inputFacets": some({"dataQualityAssertions": TESTS})})),
    "outputs": a_list(an_object(
        NAMED, {"facets": DATASET_FACETS, "outputFacets": some({"outputStatistics": ROWS})})),
})  # fmt: skip
VALIDATOR = Draft202012Validator(EVENT, format_checker=formats)


def faults_of(event: Json) -> list[str]:
    """What an event does wrong."""
    return [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(event)]


def faults_of_all(events: list[Json]) -> list[str]:
    """Of each event, and of their order: one START and then one end for each run of a job."""
    found = [f"{event['job']['name']} {fault}" for event in events for fault in faults_of(event)]
    runs: dict[str, list[Json]] = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event)
    for run in runs.values():
        types = [event["eventType"] for event in run]
        if len(types) != 2 or types[0] != "START" or types[1] == "START":
            found.append(f"{run[0]['job']['name']}: {types}")
        parent = run[0]["run"]["facets"].get("parent")
        if parent and parent["run"]["runId"] not in runs:
            found.append(f"{run[0]['job']['name']}: its parent is no run of these")
    return found
