"""Which code and which versions a run was made of."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("ecluse", "dlt", "dbt-core", "dbt-postgres", "pyarrow", "sqlalchemy")


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit checked out at `root`, and whether files differ from it; None without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(root, "status", "--porcelain")
    return commit.strip(), None if changes is None else bool(changes.strip())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape the data."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
