"""What must be true: of every run that was struck, and of everything after the one left alone."""

import json
import signal
from pathlib import Path
from typing import Any

from orchestration.publication.checksums import checksums
from orchestration.records import DEAD
from orchestration.warehouse import Warehouse
from tests.chaos.compared import Difference, differences, mart_rows, raw_rows, unfinished
from tests.chaos.kills import CANCEL, GROUP, RUN
from tests.chaos.watched import WatchedRun
from tests.databases import query
from tests.ingestion.raw import current, said

OVER = {"published", "broken", "cancelled", "aborted", "passed"}
STOPPED = 128 + signal.SIGTERM
# A broken server or API is exit 1, or 2 when it was gone before anything began, or 0 when the run
# got over it. Never 3 or 4: no data is bad, nobody else is at work.
CODES = {RUN: {-signal.SIGKILL}, GROUP: {-signal.SIGKILL}, CANCEL: {STOPPED}}
OTHERS = {0, 1, 2}
KEPT = 2  # versions
SCHEMAS = "select nspname from pg_namespace where nspname ~ '^marts(__v[0-9]+)?$'"
REGISTER = "select version, schema_name from ops.versions where schema_name is not null"
SEALED = "select mart, row_count, checksum from ops.version_marts where version = %s"
TOLERATED = {
    (CANCEL, "start"): {-signal.SIGTERM},  # Python itself was not yet up
    (CANCEL, "publish"): {0},  # all was done before it could be heard
    (CANCEL, "collect"): {0},
}


def judge_struck(run: WatchedRun, kind: str, phase: str, code: int) -> list[str]:
    """How a run may end that was struck: with the right code, and one sentence that says why."""
    wrong, status = [], run.record().get("status")
    if code not in CODES.get(kind, OTHERS) | TOLERATED.get((kind, phase), set()):
        wrong.append(f"ended with {code}")
    if code == STOPPED and status not in {"cancelled", "published", None}:
        wrong.append(f"was cancelled and is {status}")
    if "Traceback" in run.said():
        wrong.append("showed a traceback")
    if code > 0 and not run.last_word():
        wrong.append("did not say why it ended")
    return [f"{run.run_id}, {each}: {run.said()[-2000:]}" for each in wrong]


def judge_whole(run: WatchedRun, code: int) -> list[str]:
    """The run that was left alone needs nobody."""
    status = run.record().get("status")
    if (code, status) == (0, "published"):
        return []
    return [f"{run.run_id}, left alone, ended with {code} as {status}: {run.said()[-2000:]}"]


def judge_warehouse(
    found: Warehouse, calm: Warehouse, url: str
) -> tuple[list[Difference], list[str]]:
    """Raw and marts as if nothing had ever happened, and as the API says; no leftovers."""
    differing = differences(raw_rows(found), raw_rows(calm))
    differing += differences(mart_rows(found), mart_rows(calm))
    now, api = current(found), said(url)
    wrong = [f"{table} is not what the API says" for table in api if now[table] != api[table]]
    wrong += [f"{rows} rows left in {table}" for table, rows in unfinished(found).items()]
    if query(found, "select to_regnamespace('marts__next') is not null") == [(True,)]:
        wrong.append("marts__next is left")
    return differing, wrong


def judge_versions(clone: Path, found: Warehouse) -> list[str]:
    """The register, the schemas and the records tell the same of what was published."""
    wrong = []
    schemas = {name for (name,) in query(found, SCHEMAS)}
    register = dict(query(found, REGISTER))
    if schemas != set(register.values()) or len(schemas) > KEPT:
        wrong.append(f"schemas are {sorted(schemas)}, the register says {register}")
    switches = query(found, "select version, run_id from ops.switches order by switched_at")
    if register.get(switches[-1][0]) != "marts":
        wrong.append(f"version {switches[-1][0]} was switched last and is not live: {register}")
    with found.session() as session, session.cursor() as cursor:
        for version, schema in register.items():
            sealed = {mart: tuple(told) for mart, *told in query(found, SEALED, version)}
            if checksums(cursor, schema) != sealed:
                wrong.append(f"version {version} in {schema} is not what was tested")
    told = {(run["published"]["version"], run["run_id"])
            for run in _files(clone).values() if run["published"]}  # fmt: skip
    if told != set(switches):
        wrong.append(f"records and switches differ: {sorted(told ^ set(switches))}")
    return wrong


def judge_records(clone: Path, found: Warehouse, killed: set[str]) -> list[str]:
    """No run is said to be at work; files and ops agree; the killed are aborted, and named."""
    files = _files(clone)
    ops = dict(query(found, "select run_id, status from ops.runs"))
    wrong = []
    for run_id, run in sorted(files.items()):
        status = run["status"]
        if status not in OVER:
            wrong.append(f"{run_id} is still {status}")
        if run_id in killed and status != "aborted" and not run["published"]:
            wrong.append(f"{run_id} was killed and is {status}")
        if ops.get(run_id, status) != status:
            wrong.append(f"{run_id} is {status} in its file and {ops[run_id]} in ops")
        # one that had written its own end before the kill came was not found dead by anybody
        if run_id in killed and run["reason"] == DEAD and not _named(run_id, files):
            wrong.append(f"{run_id} was killed and no later run says so")
    strange = {run_id: ops[run_id] for run_id in ops.keys() - files.keys()}
    return wrong + [f"ops knows {each}, no file does" for each in strange.items()]


def _files(clone: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text())
            for path in (clone / "runs").glob("*/run.json")}  # fmt: skip


def _named(run_id: str, files: dict[str, Any]) -> bool:
    return any(run_id in note for run in files.values() for note in run["notes"])
