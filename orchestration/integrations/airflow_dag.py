"""Écluse as an Airflow 3 DAG: a task for each stage, and for each source one of its own.

For an Airflow in an environment of its own: it imports nothing of ours, it calls `ecluse`.
Point Airflow's dags folder here, or copy this file there and set ECLUSE_HOME; see
docs/orchestrators.md.
"""

import hashlib
import os
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

SCHEDULE = "0 6 * * *"
HOME = Path(os.environ.get("ECLUSE_HOME") or Path(__file__).resolve().parents[2])
SOURCES = sorted(path.parent.name for path in HOME.glob("ingestion/sources/[a-z]*/__init__.py"))
LONGEST = 50  # characters of a run id
HOPELESS = {2: "a setting is wrong", 3: "the data is bad"}  # a second try would say the same


def run_id() -> str:
    """The id of the DAG run as Écluse takes one: up to LONGEST letters, digits, - _ and dots."""
    given = str(get_current_context()["dag_run"].run_id)
    clean = re.sub(r"[^A-Za-z0-9_.-]+", "-", given)
    if len(clean) > LONGEST:
        clean = f"{clean[: LONGEST - 9]}-{hashlib.sha256(given.encode()).hexdigest()[:8]}"
    return clean


def stage(*words: str) -> str:
    """Do a stage of this DAG run; what it says goes to the task's log, the run id to its XCom.

    Raises:
        AirflowFailException: trying again is of no use.
        RuntimeError: it broke, or another run is at work: Airflow tries again.
    """
    command = [str(HOME / ".venv" / "bin" / "ecluse"), *words, "--wait"]
    named = os.environ | {"ECLUSE_RUN_ID": run_id()}
    print(f"ECLUSE_RUN_ID={named['ECLUSE_RUN_ID']} {' '.join(command)}", flush=True)
    said = ""
    with subprocess.Popen(
        command, cwd=HOME, env=named, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                said = line.strip() or said
        except BaseException:  # the task is being stopped: its process ends as by Ctrl-C
            process.terminate()
            raise
    if process.returncode in HOPELESS:
        raise AirflowFailException(f"{HOPELESS[process.returncode]} (exit code "
                                   f"{process.returncode}): {said}")  # fmt: skip
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {said}")
    return named["ECLUSE_RUN_ID"]


with DAG(
    "ecluse",
    description="Load, build, test and publish the marts",
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a run loads all that is new: what was missed comes with the next one
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=2)},
    tags=["ecluse"],
):
    loaded = [
        task(stage, task_id=f"ingest_{name}", outlets=[Asset(f"ecluse_raw_{name}")])("ingest", name)
        for name in SOURCES
    ]
    built = task(stage, task_id="build")("build")
    published = task(stage, task_id="publish", outlets=[Asset("ecluse_marts")])("publish")
    # as a teardown it runs whatever failed, and what was before it says whether the DAG run failed
    collected = task(stage, task_id="collect")("collect").as_teardown()
    loaded >> built >> published >> collected
