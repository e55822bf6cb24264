"""The folder tree keeps its promises: rooms, sizes, nothing that must not be committed."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from orchestration.settings import ROOT

TOP = {
    "dbt_project", "ingestion", "orchestration", "tests", "docs", "dbt_project.yml", "profiles.yml",
    "Makefile", "README.md", "pyproject.toml", "requirements.txt", "requirements-dev.txt",
    ".sqlfluff", ".importlinter", ".gitignore", ".ci", ".github",
    ".gitlab-ci.yml", ".pre-commit-config.yaml",
}  # fmt: skip
LONGEST_FILE = 300
LONGEST_MODEL = 100
LONGEST_YAML = 200
CORE = 9_000  # lines of Python in an evening: what every run goes through
ROOM = 1_800  # lines in an hour: each room beside it, which can be read alone
BESIDE = {
    "ci", "cli", "declared", "doctor", "drift", "history", "incidents", "integrations", "lineage",
    "live", "notebooks", "openlineage", "probe", "recording", "scaffold", "schedule", "site",
    "stages", "store", "tracing",
}  # fmt: skip
OTHERS = ("airflow", "prefect")  # tried in environments of their own
VAGUE = {"utils", "common", "helpers", "helper", "manager", "handler", "misc"}


def _tracked() -> list[Path]:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [Path(line) for line in done.stdout.splitlines() if (ROOT / line).exists()]


def _lines(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def test_the_top_level_is_what_it_is_meant_to_be() -> None:
    assert {path.parts[0] for path in _tracked()} <= TOP


def test_no_file_is_too_long() -> None:
    limits = {".py": LONGEST_FILE, ".sh": LONGEST_FILE, ".md": LONGEST_FILE, ".sql": LONGEST_FILE}
    limits |= {".yml": LONGEST_YAML, ".yaml": LONGEST_YAML}
    tracked = [path for path in _tracked() if path.suffix in limits]
    assert not [path for path in tracked if _lines(path) > limits[path.suffix]]
    models = [path for path in tracked if path.is_relative_to("dbt_project/models")]
    assert not [path for path in models if path.suffix == ".sql" and _lines(path) > LONGEST_MODEL]


def test_the_core_is_read_in_an_evening_and_each_room_beside_it_in_an_hour() -> None:
    """The demo API counts apart: it stands in for somebody else's server."""
    rooms: Counter[str] = Counter()
    for path in _tracked():
        if path.suffix == ".py" and path.parts[0] in ("ingestion", "orchestration"):
            room = path.parts[1]
            rooms[room if room in BESIDE | {"demo_api"} else "core"] += _lines(path)
    assert rooms.pop("core") < CORE
    del rooms["demo_api"]
    assert not {room: lines for room, lines in rooms.items() if lines > ROOM}


def test_no_module_has_a_vague_name() -> None:
    assert not [path for path in _tracked() if path.stem in VAGUE]


def test_lock_files_hold_hashes_and_name_no_registry() -> None:
    theirs = (f"orchestration/integrations/requirements-{name}.txt" for name in OTHERS)
    for name in ("requirements.txt", "requirements-dev.txt", *theirs):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?:|://", text)
        assert "index-url" not in text
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_tools_lock_agrees_with_the_products() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9_.-]+==[^ ]+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
