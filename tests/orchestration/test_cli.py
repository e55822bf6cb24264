"""The command line: what it answers at once, what it refuses, what a script can rely on."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.embedded import EmbeddedServer
from orchestration.settings import VARIABLES
from orchestration.warehouse import Warehouse
from tests.newcomer import copy_project, ecluse, environment

COMMANDS = {
    "run", "ingest", "deploy", "publish", "versions", "rollback", "replay", "diff", "compact",
    "grants", "quarantine", "drift", "status", "runs", "env", "psql", "docs", "stop", "settings",
    "demo-api", "lineage", "impact", "incidents", "alerts", "quality", "openlineage", "serve",
    "trace", "doctor", "record", "ci", "clean", "schedule", "build", "collect", "new", "sync",
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project for commands that change nothing in it."""
    return copy_project(tmp_path_factory.mktemp("cli") / "clone")


@pytest.mark.parametrize("args", [["--help"], ["-h"]])
def test_help_lists_every_command_and_the_exit_codes(clone: Path, args: list[str]) -> None:
    done = ecluse(clone, *args)
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed >= COMMANDS
    assert "3 the data is bad" in " ".join(done.stdout.split())


def test_the_list_of_commands_here_is_the_list_that_there_is() -> None:
    from orchestration.cli import ecluse as group

    assert set(group.commands) == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_a_help_of_its_own(clone: Path, command: str) -> None:
    done = ecluse(clone, command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2(clone: Path) -> None:
    done = ecluse(clone)
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "args",
    [["--help"], ["run", "--help"], ["ingest", "--help"], ["demo-api", "--help"], ["status"],
     ["settings"], ["stop"], ["--version"]],
)  # fmt: skip
def test_what_should_answer_at_once_imports_no_dlt_no_dbt_and_no_arrow(
    clone: Path, args: list[str]
) -> None:
    code = (
        "import sys; from orchestration.cli import main\n"
        "try: main()\n"
        "finally: print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=clone, env=environment(clone, None, {}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.splitlines())
    slow = {"dlt", "dbt", "pyarrow", "pandas", "polars", "sqlalchemy", "psycopg2", "fastapi"}
    assert "orchestration.cli" in loaded
    if args == ["demo-api", "--help"]:
        slow -= {"fastapi"}  # its help lists the faults
    assert not loaded & slow


def test_the_version_is_the_one_of_the_package(clone: Path) -> None:
    done = ecluse(clone, "--version")
    assert done.stdout.startswith("ecluse, version ")


def test_settings_lists_every_variable_and_its_meaning(clone: Path) -> None:
    lines = ecluse(clone, "settings").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(VARIABLES)
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["no-such-command"], "No such command"),
        (["run", "--no-such-option"], "No such option"),
        (["run", "extra"], "unexpected extra argument"),
        (["ingest", "unknown"], "There is no source 'unknown'. Sources: jaffle_shop, "),
        (["ingest", "--from", "yesterday"], "write it as 2026-01-31"),
        (["ingest", "--to", "2026-02-30"], "write it as 2026-01-31"),
        (["ingest", "--from", "2026-02-02", "--to", "2026-02-01"], "lies after"),
        (["status", "--last", "many"], "not a valid integer"),
        (["status", "--last", "0"], "not in the range"),
        (["docs", "--port", "99999"], "not in the range"),
        (["runs", "show"], "Missing argument"),
        (["diff", "live"], "Missing argument"),
        (["compact"], "Missing option '--before'"),
        (["compact", "--before", "last year"], "write it as 2026-01-31"),
    ],
)
def test_a_wrong_usage_is_a_sentence_and_exit_2(clone: Path, args: list[str], said: str) -> None:
    done = ecluse(clone, *args)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone / "runs").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ECLUSE_DBT_THREADS", "many"), ("ECLUSE_RUN_ID", "../etc"), ("ECLUSE_DEMO_DAYS", "0")],
)
def test_a_bad_setting_is_a_sentence_and_exit_2(clone: Path, variable: str, value: str) -> None:
    done = ecluse(clone, "run", **{variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"ecluse: {variable} is {value!r}")
    assert not (clone / "runs").exists()
    assert not (clone / ".warehouse").exists()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ECLUSE_DEMO_FAULTS", "bogus", "There is no fault 'bogus'"),
        ("ECLUSE_DEMO_DATA", "/no/such/folder", "/no/such/folder holds neither"),
    ],
)
def test_a_demo_that_cannot_be_served_is_a_sentence_and_exit_2(
    project: Path, warehouse: Warehouse, variable: str, value: str, said: str
) -> None:
    done = ecluse(project, "ingest", warehouse=warehouse, **{variable: value})
    assert done.returncode == 2
    assert said in done.stderr
    assert "ECLUSE_DEMO_" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_without_a_run_says_what_makes_one(clone: Path) -> None:
    done = ecluse(clone, "status")
    assert (done.returncode, done.stdout) == (0, "No run yet: `make run` makes one.\n")
    assert json.loads(ecluse(clone, "status", "--json").stdout) == []


def test_an_unknown_run_is_a_sentence_and_exit_2(clone: Path) -> None:
    for run_id in ("latest", "20260101T000000Z-abcd"):
        done = ecluse(clone, "runs", "show", run_id)
        assert done.returncode == 2
        assert f"There is no run {run_id!r}" in done.stderr


@pytest.mark.slow
def test_json_of_a_failed_run_is_valid_and_alone_on_standard_output(
    project: Path, warehouse: Warehouse, api: str
) -> None:
    variables = {"SOURCES__JAFFLE_SHOP__BASE_URL": f"{api}/no/such/place"}
    done = ecluse(project, "ingest", "--json", warehouse=warehouse, **variables)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["kind"], found["status"], found["exit_code"]) == ("ingest", "broken", 1)
    assert done.stderr.startswith("ecluse: ")
    assert "Traceback" not in done.stderr


def test_json_of_a_run_that_never_began_says_why(project: Path) -> None:
    done = ecluse(
        project, "run", "--json", ECLUSE_WAREHOUSE_URL="postgresql://u:hush@127.0.0.1:1/d"
    )
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert (found["exit_code"], found["steps"]) == (2, [])
    assert "does not let us in" in found["reason"]
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_backfill_does_not_move_the_demos_calendar(project: Path, warehouse: Warehouse) -> None:
    def load(*args: str) -> str:
        done = ecluse(project, "ingest", *args, warehouse=warehouse, ECLUSE_DEMO_ORDERS="400")
        assert done.returncode == 0, done.stderr
        return (project / ".warehouse" / "demo.json").read_text()

    assert load() == load("--from", "2025-01-01", "--to", "2025-01-31")
    assert load() != load()


def test_a_pipe_that_closes_early_is_no_traceback(clone: Path) -> None:
    script = f"'{sys.executable}' -m orchestration --help | head -n 1"
    done = subprocess.run(
        ["sh", "-c", script], cwd=clone, env=environment(clone, None, {}), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_env_evals_in_sh_and_leads_psql_to_the_warehouse(
    project: Path, warehouse: Warehouse
) -> None:
    script = (
        f'eval "$("{sys.executable}" -m orchestration env)"; psql -XAtc "select current_database()"'
    )
    variables = environment(project, warehouse, {})
    from orchestration.embedded import binary

    variables["PATH"] += os.pathsep + str(Path(binary("psql")).parent)
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=project, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{warehouse.dbname}\n", "")


def test_psql_hands_its_arguments_on(project: Path, warehouse: Warehouse) -> None:
    done = ecluse(project, "psql", "-XAtc", "select 1 + 1", "-v", "x=1", warehouse=warehouse)
    assert (done.returncode, done.stdout) == (0, "2\n")
    failed = ecluse(project, "psql", "-c", "select nothing", warehouse=warehouse)
    assert failed.returncode == 1


def test_psql_starts_the_embedded_server_of_its_clone(project: Path) -> None:
    spaced = project.rename(project.parent / "my clone")
    try:
        done = ecluse(spaced, "psql", "-XAtc", "show server_version_num")
        assert done.stdout.startswith("18")
    finally:
        EmbeddedServer(spaced / ".warehouse").stop()
        shutil.rmtree(spaced / ".warehouse")


def test_a_port_that_is_taken_is_a_sentence_before_dbt_is_asked(
    project: Path, warehouse: Warehouse
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = ecluse(project, "docs", "--port", port, warehouse=warehouse)
    assert done.returncode == 2
    assert f"Port {port} cannot be used" in done.stderr
    assert "--port" in done.stderr
    assert not (project / "target").exists()


def test_the_module_and_the_command_are_the_same_program(project: Path) -> None:
    script = Path(sys.executable).with_name("ecluse")
    if not script.exists():
        pytest.skip("the project is not installed here")
    done = subprocess.run([script, "settings"], capture_output=True, text=True, check=True)
    assert done.stdout == ecluse(project, "settings").stdout
