"""The Postgres servers whose deaths a run must survive: embedded, the system's, somebody else's."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

import psycopg2

from orchestration.embedded import EmbeddedServer
from orchestration.errors import EcluseError
from orchestration.warehouse import Warehouse, parse_url

PATIENCE = 60.0
SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian keeps each release
SESSIONS = """
select pid from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
  and datname = current_database() and application_name not in ('ecluse', 'chaos reader')
order by (state = 'active') desc, backend_start, pid
"""


class Server(Protocol):
    """What the chaos needs of a server."""

    warehouse: Warehouse
    can_die: bool  # whether its processes are ours to kill

    def variables(self) -> dict[str, str]:
        """What makes a run use it."""

    def kill(self, signum: signal.Signals) -> bool:
        """Send it to the postmaster; returns whether that lived."""

    def kill_session(self, rng: Random) -> bool:
        """End one session of the run; returns whether there was one."""

    def mend(self) -> None:
        """What its keeper does after a death; nothing where the run itself is the keeper."""

    def stop(self) -> None:
        """Leave nothing behind."""


class Embedded:
    """The embedded server of a clone: the run starts it, and brings it back."""

    can_die = True

    def __init__(self, clone: Path) -> None:
        """Name the server; nothing is started."""
        self._server = EmbeddedServer(clone / ".warehouse")
        self.warehouse = Warehouse(str(self._server.socket_dir), 5432, "postgres", "", "postgres")

    def variables(self) -> dict[str, str]:
        """None: it is the default."""
        return {}

    def kill(self, signum: signal.Signals) -> bool:
        """SIGKILL: its children linger. SIGQUIT: what `pg_ctl stop -m immediate` sends."""
        return _kill_postmaster(self._server.data, signum)

    def kill_session(self, rng: Random) -> bool:
        """SIGKILL the process of one session: the server restarts itself."""
        return _kill_session(self.warehouse, rng)

    def mend(self) -> None:
        """Nothing: the next run must do it."""

    def stop(self) -> None:
        """Stop it in order."""
        self._server.stop()


class System:
    """The system's PostgreSQL on a cluster of its own, with a keeper who starts it again."""

    can_die = True

    def __init__(self) -> None:
        """Make the cluster and start it."""
        self._bin = SYSTEM[-1]
        self._home = Path(tempfile.mkdtemp(prefix="ecluse-chaos-"))
        self._data = self._home / "data"
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # Postgres refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
            self._as_user = ["setpriv", "--reuid=nobody", f"--regid={nobody.pw_gid}",
                             "--clear-groups"]  # fmt: skip
        self._run("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.warehouse = Warehouse(str(self._home), 5432, "postgres", "", "postgres")
        self.mend()

    def variables(self) -> dict[str, str]:
        """Its URL."""
        return {"ECLUSE_WAREHOUSE_URL": self.warehouse.url()}

    def kill(self, signum: signal.Signals) -> bool:
        """SIGKILL: its children linger. SIGQUIT: what `pg_ctl stop -m immediate` sends."""
        return _kill_postmaster(self._data, signum)

    def kill_session(self, rng: Random) -> bool:
        """SIGKILL the process of one session: the server restarts itself."""
        return _kill_session(self.warehouse, rng)

    def mend(self) -> None:
        """Start it if it is down; a killed server's children may have to end first."""
        deadline = time.monotonic() + PATIENCE
        options = f"-c listen_addresses= -c port=5432 -c unix_socket_directories={self._home}"
        while not self._answers():
            assert time.monotonic() < deadline, "the system's server does not start"
            with suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "start", "-w", "-l", str(self._home / "log"), "-o", options)

    def stop(self) -> None:
        """Stop it and forget it."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        asked = [self._bin / "pg_isready", "-q", "-h", str(self._home)]
        return subprocess.run(asked, check=False).returncode == 0

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._bin / program), "-D", str(self._data), *args], cwd="/",
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


class Foreign:
    """A server at a URL, in a database of our own: its processes are not ours to kill."""

    can_die = False

    def __init__(self, url: str, name: str) -> None:
        """Create the database `name`."""
        self._maintenance = parse_url(url)
        with self._maintenance.session() as session, session.cursor() as cursor:
            cursor.execute(f'create database "{name}"')
        found = self._maintenance
        self.warehouse = Warehouse(
            found.host, found.port, found.user, found.password, name, found.sslmode
        )

    def variables(self) -> dict[str, str]:
        """Its URL."""
        return {"ECLUSE_WAREHOUSE_URL": self.warehouse.url()}

    def kill(self, signum: signal.Signals) -> bool:
        """Never: it is not ours."""
        return False

    def kill_session(self, rng: Random) -> bool:
        """Terminate one session, as an administrator would."""
        pid = _choose_session(self.warehouse, rng)
        if pid:
            with self.warehouse.session() as session, session.cursor() as cursor:
                cursor.execute("select pg_terminate_backend(%s)", (pid,))
        return pid is not None

    def mend(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Drop the database."""
        with self._maintenance.session() as session, session.cursor() as cursor:
            cursor.execute(f'drop database "{self.warehouse.dbname}" with (force)')


def make_server(kind: str, clone: Path, name: str) -> Server:
    """`embedded`, `system`, or the URL of a server that runs already."""
    if kind == "embedded":
        return Embedded(clone)
    return System() if kind == "system" else Foreign(kind, name)


def _kill_postmaster(data: Path, signum: signal.Signals) -> bool:
    try:
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signum)
    except (OSError, ValueError, IndexError):
        return False
    return True


def _kill_session(warehouse: Warehouse, rng: Random) -> bool:
    pid = _choose_session(warehouse, rng)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pid is not None


def _choose_session(warehouse: Warehouse, rng: Random) -> int | None:
    """Any session of the database; half the time one that is at work."""
    try:
        with warehouse.session() as session, session.cursor() as cursor:
            cursor.execute(SESSIONS)
            pids = [pid for (pid,) in cursor.fetchall()]
    except (EcluseError, psycopg2.Error):
        return None
    return pids[int(rng.random() ** 2 * len(pids))] if pids else None
