"""A disk that is full ends a run with a sentence; once there is room, all is well again."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest

from orchestration.disk import explain
from orchestration.errors import BuildBroke, ConfigurationError, DiskFull, WarehouseLost
from orchestration.settings import load_settings
from orchestration.warehouse import locate
from tests.databases import query
from tests.disks import full, small_disk
from tests.newcomer import copy_project, ecluse

pytestmark = pytest.mark.long
USE_UP_THE_LOG = "select pg_logical_emit_message(true, '', 'x'), pg_switch_wal()"
HEALTHY = 41  # days of the shop that are loaded before a disk is full


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that has published, with disks of their own below it."""
    root = copy_project(tmp_path_factory.mktemp("full") / "clone")
    with ExitStack() as stack:
        for place, size in ((".warehouse", "160m"), (".warehouse/dlt", "8m"), ("runs", "16m")):
            stack.enter_context(small_disk(root / place, size))
        stack.callback(ecluse, root, "stop")
        assert run(root, "run", HEALTHY)[0] == 0
        yield root


def run(clone: Path, verb: str, day: int, run_id: str | None = None) -> tuple[int, str]:
    """The exit code and the last line."""
    shop = {"ECLUSE_DEMO_ORDERS": "20000", "ECLUSE_DEMO_DAYS": str(day)}
    done = ecluse(clone, verb, **shop, **({"ECLUSE_RUN_ID": run_id} if run_id else {}))
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def end(clone: Path, run_id: str) -> tuple[object, ...]:
    """How the record says that a run ended; ops says the same, if it ever heard of it."""
    found = json.loads((clone / "runs" / run_id / "run.json").read_text())
    told = "select status, exit_code, reason from ops.runs where run_id = %s"
    warehouse = locate(load_settings({}, clone))
    file = (found["status"], found["exit_code"], found["reason"])
    assert query(warehouse, told, run_id) in ([file], [])
    return file


def orders(clone: Path) -> int:
    """What readers see."""
    return query(locate(load_settings({}, clone)), "select count(*) from marts.orders")[0][0]


@pytest.mark.parametrize("log_is_full", [False, True])
def test_postgres_without_room(clone: Path, log_is_full: bool) -> None:
    """Without room for its write-ahead log it dies, and says why only to its own log."""
    warehouse, before = locate(load_settings({}, clone)), orders(clone)
    day, name = HEALTHY + 1 + log_is_full, f"postgres-{log_is_full}"
    with full(clone / ".warehouse"):
        if log_is_full:
            with pytest.raises(WarehouseLost):
                for _ in range(20):
                    query(warehouse, USE_UP_THE_LOG)
        code, said = run(clone, "run", day, name)
    assert code == 1
    assert said.startswith("ecluse: The disk is full: Postgres cannot write: ")
    assert f"{clone / '.warehouse' / 'postgres'} has " in said
    assert "Make room and run again" in said
    code, said = run(clone, "run", day, f"{name}-next")
    assert code == 0, said
    assert end(clone, name)[0] in {"broken", "aborted"}
    assert orders(clone) > before


def test_the_records_without_room(clone: Path) -> None:
    with full(clone / "runs"):
        code, said = run(clone, "run", HEALTHY + 3, "records")
    assert code == 1
    assert said.startswith(f"ecluse: The disk is full: {clone / 'runs'}")
    assert run(clone, "ingest", HEALTHY + 3)[0] == 0
    status, code, reason = end(clone, "records")
    assert (status, code) == ("broken", 1)
    assert str(reason).startswith("The disk is full")


def test_dlts_folder_without_room(clone: Path) -> None:
    with full(clone / ".warehouse" / "dlt"):
        code, said = run(clone, "run", HEALTHY + 4, "dlt")
    assert code == 1
    assert said.startswith(f"ecluse: The disk is full: {clone / '.warehouse' / 'dlt'}")
    assert run(clone, "ingest", HEALTHY + 4)[0] == 0
    assert end(clone, "dlt")[:2] == ("broken", 1)


def test_what_dbt_and_dlt_say_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    settings = load_settings({"ECLUSE_WAREHOUSE_URL": "postgresql://u@h/d"}, tmp_path)
    said = 'model orders broke: Database Error could not extend file "base/5/1": No space left on'
    found = explain(BuildBroke(f"{said} device HINT: Check free disk space."), settings)
    assert isinstance(found, DiskFull)
    assert "its server has to make room" in str(found)
    assert isinstance(explain(OSError(122, "Disk quota exceeded"), settings), DiskFull)
    assert explain(BuildBroke("model orders broke: division by zero"), settings) is None
    assert explain(psycopg2.OperationalError("server closed the connection"), settings) is None


def test_a_folder_that_may_not_be_written_is_no_full_disk(tmp_path: Path) -> None:
    error = PermissionError(13, "Permission denied", str(tmp_path / "x"))
    found = explain(error, load_settings({}, tmp_path))
    assert isinstance(found, ConfigurationError)
    assert str(found).startswith(f"{tmp_path / 'x'} cannot be written: Permission denied")
