"""The DAG and the flow with the real Airflow and the real Prefect, each in its own environment."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.records import read_run
from orchestration.settings import ROOT
from tests.newcomer import copy_project, ecluse, environment

pytestmark = pytest.mark.long
HERE = Path(__file__).parent
Found = dict[str, Any]
BAD = {"ECLUSE_DEMO_FAULTS": "wrong_total@orders?times=-1"}
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
}
# The command of the copy: with a file `crash` beside it, the first build is killed.
COMMAND = """#!/bin/sh
if [ "$1" = build ] && [ -e "{root}/crash" ]; then rm "{root}/crash"; kill -9 $$; fi
cd "{root}" && PYTHONPATH="{root}" exec "{python}" -m orchestration "$@"
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a command of its own, and its embedded server."""
    root = copy_project(tmp_path_factory.mktemp("integrations") / "clone")
    command = root / ".venv" / "bin" / "ecluse"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND.format(root=root, python=sys.executable))
    command.chmod(0o755)
    yield root
    ecluse(root, "stop")


def theirs(name: str) -> Path:
    """The Python of that environment, or a skip that says how to get it."""
    python = ROOT / f".venv-{name}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {name} here: sh orchestration/integrations/setup.sh {name}")
    return python


def runner(name: str, script: str, clone: Path, **variables: str) -> Callable[..., Found]:
    """Runs the DAG or the flow once and returns what became of it, with all that was said."""
    python, out = theirs(name), clone / f"{name}.json"
    home = {"AIRFLOW_HOME": str(clone / "airflow"), "PREFECT_HOME": str(clone / "prefect")}
    home["AIRFLOW__CORE__DAGS_FOLDER"] = str(clone / "orchestration" / "integrations")
    ours = environment(clone, None, {"ECLUSE_DEMO_ORDERS": "3000", **home, **QUIET, **variables})
    del ours["PYTHONPATH"]

    def run(**more: str) -> Found:
        file = clone / "orchestration" / "integrations" / script
        done = subprocess.run(
            [python, HERE / f"run_{name}.py", file, out], env=ours | more, cwd=clone,
            capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found: Found = json.loads(out.read_text())
        return found | {"said": done.stdout + done.stderr}

    if name == "airflow":
        migrate = [python.with_name("airflow"), "db", "migrate"]
        subprocess.run(migrate, env=ours, check=True, capture_output=True, timeout=120)
    return run


@pytest.fixture(scope="module")
def airflow(clone: Path) -> Callable[..., Found]:
    return runner("airflow", "airflow_dag.py", clone)


@pytest.fixture(scope="module")
def prefect(clone: Path) -> Callable[..., Found]:
    return runner("prefect", "prefect_flow.py", clone)


def record_of(clone: Path, found: Found) -> Found:
    run_id = re.sub(r"[^A-Za-z0-9_.-]+", "-", found["run_id"])
    assert f"ECLUSE_RUN_ID={run_id} " in found["said"], "the log names it"
    return read_run(clone / "runs", run_id)


def test_airflow_gets_over_a_crash_and_publishes(
    clone: Path, airflow: Callable[..., Found]
) -> None:
    (clone / "crash").touch()
    found = airflow()
    assert found["state"] == "success"
    assert found["tasks"] == {
        "ingest_jaffle_shop": ["success", 1], "ingest_support": ["success", 1],
        "build": ["success", 2],
        "publish": ["success", 1], "collect": ["success", 1],
    }  # fmt: skip
    assert found["outlets"]["ingest_jaffle_shop"] == ["ecluse_raw_jaffle_shop"]
    assert found["outlets"]["publish"] == ["ecluse_marts"]
    record = record_of(clone, found)
    assert (record["kind"], record["status"], record["exit_code"]) == ("run", "published", 0)
    assert [step["status"] for step in record["steps"]] == ["done"] * 4


def test_airflow_does_not_try_bad_data_again(clone: Path, airflow: Callable[..., Found]) -> None:
    found = airflow(**BAD)
    assert found["state"] == "failed"
    assert found["tasks"] == {
        "ingest_jaffle_shop": ["success", 1], "ingest_support": ["success", 1],
        "build": ["failed", 1],
        "publish": ["upstream_failed", 0], "collect": ["success", 1],
    }  # fmt: skip
    assert "the data is bad (exit code 3)" in found["said"]
    record = record_of(clone, found)
    assert (record["status"], record["exit_code"]) == ("rejected", 3)


def test_prefect_gets_over_a_crash_and_publishes(
    clone: Path, prefect: Callable[..., Found]
) -> None:
    (clone / "crash").touch()
    found = prefect()
    assert found["state"] == "Completed"
    assert found["tasks"] == {
        "ingest jaffle_shop": ["Completed", 1], "ingest support": ["Completed", 1],
        "build": ["Completed", 2],
        "publish": ["Completed", 1], "collect": ["Completed", 1],
    }  # fmt: skip
    record = record_of(clone, found)
    assert (record["kind"], record["status"], record["exit_code"]) == ("run", "published", 0)


def test_prefect_does_not_try_bad_data_again(clone: Path, prefect: Callable[..., Found]) -> None:
    found = prefect(**BAD)
    assert found["state"] == "Failed"
    assert found["tasks"] == {
        "ingest jaffle_shop": ["Completed", 1], "ingest support": ["Completed", 1],
        "build": ["Failed", 1],
        "publish": ["NotReady", 0], "collect": ["Completed", 1],
    }  # fmt: skip
    assert "the data is bad (exit code 3)" in found["said"]
    record = record_of(clone, found)
    assert (record["status"], record["exit_code"]) == ("rejected", 3)


def test_their_files_import_nothing_of_ours_and_know_the_same_codes() -> None:
    for name in ("airflow_dag.py", "prefect_flow.py"):
        text = (ROOT / "orchestration" / "integrations" / name).read_text()
        imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
        assert imported <= set(sys.stdlib_module_names) | {"airflow", "prefect"}
        assert 'HOPELESS = {2: "a setting is wrong", 3: "the data is bad"}' in text
