"""Where a clone may lie, and who may own it: the embedded server works there or says why not."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.embedded import LONGEST_SOCKET_DIR, EmbeddedServer
from orchestration.errors import ConfigurationError
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse
from tests.orchestration.users import OrdinaryUser

pytestmark = pytest.mark.slow

LIVE = """
import sys
from pathlib import Path
from orchestration.embedded import EmbeddedServer
from orchestration.warehouse import Warehouse
server = EmbeddedServer(Path(sys.argv[1]))
try:
    server.start()
    with Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres").session() as session:
        print("lives", session.server_version // 10000, server.socket_dir)
finally:
    server.stop()
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that others may enter: pytest's own are closed to them."""
    place = Path(tempfile.mkdtemp(prefix="ecluse-place-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def lives(home: Path) -> EmbeddedServer:
    """Start, use and stop a server in `home`; what it left behind is the test's to look at."""
    server = EmbeddedServer(home)
    assert server.start()
    try:
        at = Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres")
        assert query(at, "select current_user") == [("postgres",)]
    finally:
        assert server.stop()
    return server


def live_as(user: OrdinaryUser, home: Path) -> str:
    """What a process of `user` says that starts, uses and stops a server in `home`."""
    done = user.python("-c", LIVE, str(home))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["a clone with spaces", "détour", "it's (here) & #there"])
def test_it_lives_below_a_folder_with_an_unusual_name(tmp_path: Path, name: str) -> None:
    lives(tmp_path / name / ".warehouse")


@pytest.mark.parametrize("name", ["a,comma", 'a"quote', "50%", "back\\slash"])
def test_a_path_that_libpq_would_misread_gets_its_socket_elsewhere(
    tmp_path: Path, name: str
) -> None:
    home = tmp_path / name / ".warehouse"
    server = lives(home)
    assert server.socket_dir.parent == Path(tempfile.gettempdir())
    assert not server.socket_dir.exists(), "stop leaves nothing outside the clone"


def test_a_path_too_long_for_a_socket_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 15) / ("deeper" * 10) / ".warehouse"
    assert len(str(home)) > 100
    server = lives(home)
    assert server.socket_dir.parent == Path(tempfile.gettempdir())
    assert not server.socket_dir.exists()


def test_a_temporary_folder_that_is_too_long_itself_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    server = lives(deep / ".warehouse")
    assert server.socket_dir.parent == Path("/tmp")  # noqa: S108 - where it is, not made here


def test_two_clones_with_long_paths_do_not_share_a_socket(tmp_path: Path) -> None:
    homes = [tmp_path / ("deep" * 30) / name for name in ("one", "two")]
    first, second = (EmbeddedServer(home).socket_dir for home in homes)
    assert first != second


def test_the_longest_socket_path_beside_the_data_still_works(tmp_path: Path) -> None:
    room = LONGEST_SOCKET_DIR - len(str(tmp_path / "x" / "socket")) + 1
    if room < 1:
        pytest.skip("the temporary folder's own path is too long for this test")
    server = lives(tmp_path / ("x" * room))
    assert server.socket_dir.parent == server.home
    assert len(str(server.socket_dir)) == LONGEST_SOCKET_DIR


def test_it_writes_nothing_outside_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o777)
    for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(elsewhere))
    tempfile.tempdir = None  # so that TMPDIR counts
    try:
        lives(tmp_path / "clone" / ".warehouse")
    finally:
        tempfile.tempdir = None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clone", "elsewhere"]
    assert list(elsewhere.iterdir()) == []


def test_an_ordinary_user_needs_no_rights_at_all(user: OrdinaryUser) -> None:
    home = user.own(Path(tempfile.mkdtemp(dir=user.home)))
    assert "lives 18" in live_as(user, home / ".warehouse")
    assert (home / ".warehouse" / "postgres").owner() == user.name


@pytest.mark.slow
def test_an_ordinary_user_has_a_long_path_with_spaces_too(user: OrdinaryUser) -> None:
    home = user.own(Path(tempfile.mkdtemp(dir=user.home))) / ("long name " * 10) / ".warehouse"
    said = live_as(user, home)
    assert "lives 18" in said
    assert f"/ecluse-{home.parent.parent.stat().st_uid}-" in said


def test_a_folder_that_cannot_be_written_is_a_sentence_and_exit_2(
    user: OrdinaryUser, project: Path
) -> None:
    clone = user.home / "read-only-clone"
    shutil.move(project, clone)  # root's, so that the user may read it only
    clone.chmod(0o555)
    done = user.python("-m", "orchestration", "env", root=clone, cwd=clone)
    clone.chmod(0o755)
    assert done.returncode == 2
    assert "cannot be kept in" in done.stderr
    assert "ECLUSE_WAREHOUSE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_after_a_crash_a_stranger_with_the_servers_pid_does_not_stop_a_start(
    user: OrdinaryUser,
) -> None:
    home = user.own(Path(tempfile.mkdtemp(dir=user.home))) / ".warehouse"
    live_as(user, home)
    stranger = subprocess.Popen([*user.prefix, "sleep", "60"])
    try:  # of the same user: Postgres may signal it, and so would believe in it
        children = Path(f"/proc/{stranger.pid}/task/{stranger.pid}/children")
        pid = (children.read_text().split() or [str(stranger.pid)])[0]
        (home / "postgres" / "postmaster.pid").write_text(f"{pid}\n{home / 'postgres'}\n")
        assert "lives 18" in live_as(user, home)
    finally:
        stranger.terminate()
        stranger.wait()


@root_only
def test_root_may_keep_its_clone_in_a_folder_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    lives(closed / ".warehouse")
    assert closed.stat().st_mode & 0o777 == 0o700, "no permission was opened"


@root_only
def test_root_in_the_clone_of_a_user_lends_the_data_to_that_user(user: OrdinaryUser) -> None:
    home = user.own(Path(tempfile.mkdtemp(dir=user.home)))
    assert lives(home).data.owner() == user.name


@root_only
def test_root_in_a_folder_of_a_uid_without_a_name_lends_the_data_to_nobody(
    open_place: Path,
) -> None:
    os.chown(open_place, 54321, 54321)  # as in a container with a mounted clone
    assert lives(open_place).data.stat().st_uid == 65534


@root_only
def test_root_uses_no_data_folder_that_somebody_else_has_laid_out(
    user: OrdinaryUser, tmp_path: Path
) -> None:
    (tmp_path / "postgres").mkdir()
    user.own(tmp_path / "postgres")
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        EmbeddedServer(tmp_path).start()


def test_a_socket_folder_that_somebody_has_made_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir()
    (tmp_path / "socket").symlink_to(tmp_path / "trap")
    with pytest.raises(ConfigurationError, match="remove it first"):
        EmbeddedServer(tmp_path).start()


@root_only
def test_root_without_setpriv_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigurationError, match="util-linux"):
        EmbeddedServer(tmp_path).start()


def test_the_command_stop_stops_the_server_of_its_own_clone(project: Path) -> None:
    server = EmbeddedServer(project / ".warehouse")
    server.start()
    assert ecluse(project, "stop").stdout == "stopped\n"
    assert not server.is_running()
    again = ecluse(project, "stop")
    assert (again.returncode, again.stdout) == (0, "it was not running\n")
