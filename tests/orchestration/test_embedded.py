"""The embedded server: its life, its deaths, and the places it may have to live in."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from orchestration.embedded import EmbeddedServer, binary
from orchestration.errors import ConfigurationError, WarehouseUnreachable
from orchestration.settings import load_settings
from orchestration.warehouse import Warehouse, open_warehouse
from tests.databases import query

pytestmark = pytest.mark.slow

START = "import sys; from pathlib import Path; from orchestration.embedded import EmbeddedServer; "
START += "print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)"


def place(server: EmbeddedServer) -> Warehouse:
    return Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres")


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except OSError:
            return
        if state == "Z":  # ours to reap: pytest is its parent
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} lives on")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server for the tests that leave it running as they found it."""
    server = EmbeddedServer(tmp_path_factory.mktemp("life"))
    assert server.start()
    yield server
    server.stop()


def test_a_started_server_takes_connections_and_says_which_version_it_is(
    shared: EmbeddedServer,
) -> None:
    assert shared.is_running()
    assert query(place(shared), "show server_version")[0][0].startswith("18.")


def test_a_second_start_reuses_the_running_server(shared: EmbeddedServer) -> None:
    before = postmaster(shared)
    assert shared.start() is False
    assert postmaster(shared) == before


def test_it_listens_on_no_port_of_the_network(shared: EmbeddedServer) -> None:
    assert query(place(shared), "show listen_addresses") == [("",)]


def test_fsync_stays_on_because_a_kill_must_lose_nothing(shared: EmbeddedServer) -> None:
    rows = query(place(shared), "select current_setting('fsync'), current_setting('jit')")
    assert rows == [("on", "off")]


def test_only_its_owner_may_look_into_the_data_and_the_socket(shared: EmbeddedServer) -> None:
    assert shared.data.stat().st_mode & 0o777 == 0o700
    assert shared.socket_dir.stat().st_mode & 0o777 == 0o700


def test_variables_for_another_postgres_do_not_lead_it_astray(
    shared: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "6543", "PGHOST": "db", "PGSERVICE": "prod"}.items():
        monkeypatch.setenv(name, value)
    shared.stop()
    assert shared.start()
    assert shared.is_running()
    monkeypatch.delenv("PGSERVICE")
    assert query(place(shared), "select 1") == [(1,)]


def test_stop_ends_the_server_and_a_start_finds_the_data_again(shared: EmbeddedServer) -> None:
    query(place(shared), "create table kept as select 7 as n; select 1")
    assert shared.stop() is True
    assert not shared.is_running()
    assert not (shared.data / "postmaster.pid").exists()
    assert shared.start() is True
    assert query(place(shared), "select n from kept") == [(7,)]


def test_stop_ends_open_sessions_and_does_not_wait_for_them(shared: EmbeddedServer) -> None:
    session = place(shared).connect()
    began = time.monotonic()
    assert shared.stop() is True
    assert time.monotonic() - began < 10
    session.close()
    shared.start()


def test_stop_says_so_when_nothing_runs(tmp_path: Path) -> None:
    assert EmbeddedServer(tmp_path / "never").stop() is False


def test_stop_leaves_a_stranger_alone_who_got_the_pid_of_a_dead_server(
    shared: EmbeddedServer,
) -> None:
    shared.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (shared.data / "postmaster.pid").write_text(f"{stranger.pid}\n{shared.data}\n")
        assert shared.stop() is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        shared.start()


def test_after_a_kill_9_of_the_server_a_start_heals_and_the_data_is_whole(
    shared: EmbeddedServer,
) -> None:
    query(place(shared), "create table survives as select 8 as n; select 1")
    pid = postmaster(shared)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert (shared.data / "postmaster.pid").exists()
    assert shared.start() is True
    assert query(place(shared), "select n from survives") == [(8,)]


def test_a_start_ends_the_orphans_of_a_killed_server(shared: EmbeddedServer) -> None:
    session = place(shared).connect()
    worker = session.info.backend_pid
    with ThreadPoolExecutor(1) as pool:
        # a query that never looks up: its process would outlive the postmaster by hours
        busy = "select count(*) from (select generate_series(1, 100000000000)) as endless"
        running = pool.submit(session.cursor().execute, busy)
        time.sleep(0.5)
        pid = postmaster(shared)
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        assert Path(f"/proc/{worker}").exists()
        assert shared.start() is True
        assert isinstance(running.exception(timeout=60), psycopg2.OperationalError)
    wait_until_gone(worker)


def test_a_start_waits_for_a_server_that_recovers_by_itself(shared: EmbeddedServer) -> None:
    before = postmaster(shared)
    session = place(shared).connect()
    os.kill(session.info.backend_pid, signal.SIGKILL)  # the postmaster ends all, and begins again
    for _ in range(20):
        shared.start()
        assert postmaster(shared) == before
        time.sleep(0.02)
    assert query(place(shared), "select 1") == [(1,)]


def test_a_killed_server_that_nobody_reaps_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    heedless = subprocess.Popen(
        [sys.executable, "-c", f"{START}; import time; time.sleep(60)",
         str(tmp_path)], stdout=subprocess.PIPE,
    )  # fmt: skip
    assert heedless.stdout
    try:
        assert heedless.stdout.readline() == b"True\n"  # from now on it looks at nothing
        pid = postmaster(server)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        os.kill(pid, 0)  # it is a zombie: both lock files name a process that there is
        assert server.was_killed()
        assert server.start() is True
        assert query(place(server), "select 1") == [(1,)]
    finally:
        server.stop()
        heedless.kill()
        heedless.wait()


def test_lock_files_that_name_another_postgres_are_no_obstacle_and_it_is_left_alone(
    shared: EmbeddedServer, tmp_path: Path
) -> None:
    """As after a restart of the machine, or of a container: pids are given out anew."""
    server = EmbeddedServer(tmp_path)
    server.start()
    pid, other = postmaster(server), postmaster(shared)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    for file in (server.data / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
        file.write_text(file.read_text().replace(str(pid), str(other), 1))
    try:
        assert server.stop() is False
        assert server.start() is True
        assert query(place(server), "select 1") == [(1,)]
    finally:
        assert server.stop() is True
    assert shared.is_running()


def test_who_opens_the_warehouse_is_told_that_its_server_was_found_dead(tmp_path: Path) -> None:
    settings, told = load_settings({}, tmp_path), []
    server = EmbeddedServer(settings.state_dir)
    open_warehouse(settings, told.append)
    try:
        os.kill(postmaster(server), signal.SIGKILL)
        wait_until_gone(postmaster(server))
        open_warehouse(settings, told.append)
        open_warehouse(settings, told.append)
        server.stop()
        open_warehouse(settings, told.append)
    finally:
        server.stop()
    assert told == ["the embedded server was found dead; it was started again and recovered"]


def test_two_processes_that_start_at_once_get_one_server(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    try:
        starts = [
            subprocess.Popen(
                [sys.executable, "-c", START, str(tmp_path)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = sorted(start.communicate(timeout=60)[0].strip() for start in starts)
        assert said == ["False", "True"]
        assert query(place(server), "select 1") == [(1,)]
    finally:
        server.stop()


def test_a_cluster_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    (server.data / "base" / "1").mkdir(parents=True)
    (server.data / "postgresql.conf").write_text("half a fi")
    server.data.chmod(0o700)
    try:
        assert server.start() is True
        assert query(place(server), "select 1") == [(1,)]
    finally:
        server.stop()


def test_a_start_that_fails_says_the_last_words_of_the_server(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as conf:
        conf.write("\nno_such_setting = 1\n")
    with pytest.raises(WarehouseUnreachable, match=r"could not start: .*no_such_setting"):
        server.start()


def test_without_the_wheel_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="make setup"):
        binary("postgres")
