"""Somebody who is not root: a throw-away account when the tests run as root."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestration.settings import ROOT


@dataclass(frozen=True)
class OrdinaryUser:
    """An account without rights, and a folder that is its own."""

    name: str
    home: Path
    prefix: tuple[str, ...]  # what makes a command run as this user
    interpreter: str = sys.executable

    def own(self, path: Path) -> Path:
        """Hand `path` and all below it to this user."""
        if self.prefix:
            subprocess.run(["chown", "-R", self.name, str(path)], check=True)
        return path

    def python(
        self, *args: str, root: Path = ROOT, cwd: Path = Path("/")
    ) -> subprocess.CompletedProcess[str]:
        """Run Python as this user, with the project at `root` and nothing of our environment."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join((str(root), sysconfig.get_path("purelib"))),
        }
        return subprocess.run(
            [*self.prefix, self.interpreter, *args], cwd=cwd, env=env, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip


@contextmanager
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Ourselves, or a new account when we are root; skips the test where neither can be."""
    home = Path(tempfile.mkdtemp(prefix="ecluse-user-"))  # pytest's own folders are closed
    home.chmod(0o755)
    try:
        if os.geteuid():
            yield OrdinaryUser(pwd.getpwuid(os.geteuid()).pw_name, home, ())
            return
        name = _new_account(home)
        try:
            yield _with_python(OrdinaryUser(name, home, ("runuser", "-u", name, "--")))
        finally:
            subprocess.run(["userdel", name], check=False, capture_output=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _with_python(user: OrdinaryUser) -> OrdinaryUser:
    """Root's own Python may lie where nobody else can go: the system's of that version will do."""
    name = f"python3.{sys.version_info.minor}"
    for interpreter in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        found = replace(user, interpreter=interpreter)
        if found.python("-c", "import psycopg2, ingestion").returncode == 0:
            return found
    pytest.skip("other users may not enter the folder of this Python, or of the project")


def _new_account(home: Path) -> str:
    if not (shutil.which("useradd") and shutil.which("runuser")):
        pytest.skip("root without useradd and runuser cannot be somebody else")
    name = f"ecluse{os.getpid()}"
    made = subprocess.run(
        ["useradd", "--no-create-home", "--home-dir", str(home), name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no throw-away account can be made here: {made.stderr.strip()}")
    shutil.chown(home, name)
    return name
