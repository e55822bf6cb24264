"""Écluse as a Prefect 3 flow: a task for each stage, and for each source one of its own.

For a Prefect in an environment of its own: it imports nothing of ours, it calls `ecluse`.
`python prefect_flow.py` runs it by the clock, once a Prefect server is there; see
docs/orchestrators.md.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from prefect import allow_failure, flow, task
from prefect.runtime import flow_run

SCHEDULE = "0 6 * * *"
HOME = Path(os.environ.get("ECLUSE_HOME") or Path(__file__).resolve().parents[2])
SOURCES = sorted(path.parent.name for path in HOME.glob("ingestion/sources/[a-z]*/__init__.py"))
HOPELESS = {2: "a setting is wrong", 3: "the data is bad"}


class Hopeless(Exception):
    """A second try would say the same."""


def worth_it(task: Any, task_run: Any, state: Any) -> bool:
    """Whether a task that failed is to be tried again."""
    return not isinstance(state.result(raise_on_failure=False), Hopeless)


@task(retries=2, retry_delay_seconds=120, retry_condition_fn=worth_it, log_prints=True)
def stage(*words: str) -> str:
    """Do a stage of this flow run, whose id is the id of the Écluse run; returns it.

    Raises:
        Hopeless: trying again is of no use.
        RuntimeError: it broke, or another run is at work: Prefect tries again.
    """
    command = [str(HOME / ".venv" / "bin" / "ecluse"), *words, "--wait"]
    named = os.environ | {"ECLUSE_RUN_ID": str(flow_run.id)}
    print(f"ECLUSE_RUN_ID={named['ECLUSE_RUN_ID']} {' '.join(command)}")
    said = ""
    with subprocess.Popen(
        command, cwd=HOME, env=named, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in process.stdout or ():
                print(line.rstrip())
                said = line.strip() or said
        except BaseException:  # the task is being stopped: its process ends as by Ctrl-C
            process.terminate()
            raise
    if process.returncode in HOPELESS:
        raise Hopeless(f"{HOPELESS[process.returncode]} (exit code {process.returncode}): {said}")
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {said}")
    return named["ECLUSE_RUN_ID"]


@flow(name="ecluse", log_prints=True)
def ecluse() -> list[Any]:
    """Load, build, test and publish the marts; fails when a stage does."""
    named = stage.with_options
    loaded = [named(name=f"ingest {source}").submit("ingest", source) for source in SOURCES]
    built = named(name="build").submit("build", wait_for=loaded)
    published = named(name="publish").submit("publish", wait_for=[built])
    before = [allow_failure(each) for each in (*loaded, built, published)]
    collected = named(name="collect").submit("collect", wait_for=before)
    return [*loaded, built, published, collected]


if __name__ == "__main__":
    ecluse.serve(name="by the clock", cron=SCHEDULE, limit=1)
