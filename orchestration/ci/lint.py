"""The linters that are installed, on what the pull request may have changed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from orchestration.ci.findings import Lint

MOST = 40  # lines of a linter that are kept


def lint(root: Path, sql_files: list[str]) -> list[Lint]:
    """Ask ruff about the Python of the project, and sqlfluff about these files."""
    return [
        _ask(root, "ruff", "check", "--quiet", "--output-format", "concise", "."),
        _ask(root, "sqlfluff", "lint", "--disable-progress-bar", "--nocolor", *sql_files)
        if sql_files else Lint("sqlfluff", "passed", ("no model differs",)),
    ]  # fmt: skip


def _ask(root: Path, tool: str, *args: str) -> Lint:
    if find_spec(tool) is None:
        return Lint(tool, "missing")
    done = subprocess.run(
        [sys.executable, "-m", tool, *args], cwd=root, capture_output=True, text=True, check=False
    )
    said = [line.rstrip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return Lint(tool, "failed" if done.returncode else "passed", tuple(said[:MOST]))
