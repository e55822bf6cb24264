"""The project as a newcomer has it: a copy of its own, an empty HOME, the command line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestion.demo_api.page import DESK_TOKEN
from ingestion.demo_api.serve import desk_url
from orchestration.settings import ROOT, Settings, load_settings
from orchestration.warehouse import Warehouse

# What a project needs to run; runs, docs and the embedded server land in the copy.
PROJECT = (
    "dbt_project",
    "ingestion",
    "orchestration",
    "dbt_project.yml",
    "profiles.yml",
    "pyproject.toml",
)


def own_desk(api: str) -> dict[str, str]:
    """The variables that make the desk of a demo shop at `api` somebody's own."""
    return {"SOURCES__SUPPORT__BASE_URL": desk_url(api), "SOURCES__SUPPORT__API_TOKEN": DESK_TOKEN}


@contextmanager
def own_environment() -> Iterator[None]:
    """What the block does to the environment of this process ends with it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def copy_project(into: Path) -> Path:
    """Copy what a run needs of the repository."""
    into.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, into / name)
    return into


def settings_for(root: Path, warehouse: Warehouse, **variables: str) -> Settings:
    """Settings of a project copy against a test's database."""
    return load_settings({"ECLUSE_WAREHOUSE_URL": warehouse.url(), **variables}, root)


def ecluse(
    root: Path, *args: str, warehouse: Warehouse | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line of a project copy in a process of its own, with an empty HOME."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *args],
        cwd=root, env=environment(root, warehouse, variables), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def environment(
    root: Path, warehouse: Warehouse | None, variables: dict[str, str]
) -> dict[str, str]:
    """The environment of a newcomer: PATH, an empty HOME, and what the test sets."""
    home = root / "home"
    home.mkdir(exist_ok=True)
    found = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(root)}
    if warehouse is not None:
        found["ECLUSE_WAREHOUSE_URL"] = warehouse.url()
    return found | variables
