"""The set-up script: what it installs, when it does nothing, and what it says when it cannot.

Python is a stub here that writes down how it was called; a fresh clone that really installs is
another test.
"""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestration.settings import ROOT

STUB = """#!/bin/sh
echo "$*" >>"$STUB_LOG"
case "$1" in
    -c) [ "$2" = "" ] || exit "${STUB_TOO_OLD:-0}" ;;
    -V) echo "Python ${STUB_VERSION:-3.12.4}" ;;
    -m) case "$2" in
        venv)
            [ -z "${STUB_NO_VENV:-}" ] || { echo "ensurepip is not available"; exit 1; }
            mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
        pip) exit "${STUB_PIP:-0}" ;;
        esac ;;
esac
"""
TOOLS = ("sh", "cat", "cksum", "dirname", "grep", "rm", "tail", "mkdir", "cp")


@dataclass
class Clone:
    """A clone with nothing but what the script reads, and a PATH with nothing but stubs."""

    root: Path
    tools: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.tools / "log"

    def python(self, name: str = "python3") -> None:
        """Install a stub of this name."""
        (self.tools / name).write_text(STUB)
        (self.tools / name).chmod(0o755)

    def setup(self, level: str = "run", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script as make does; the log starts anew."""
        self.log.write_text("")
        env = {"PATH": str(self.tools), "STUB_LOG": str(self.log), **variables}
        return subprocess.run(
            [self.tools / "sh", self.root / "orchestration" / "setup.sh", level],
            env=env, cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip

    def calls(self, beginning: str) -> list[str]:
        """The calls of Python that began like this, in the last set-up."""
        return [line for line in self.log.read_text().splitlines() if line.startswith(beginning)]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    root, tools = tmp_path / "a clone", tmp_path / "bin"
    (root / "orchestration").mkdir(parents=True)
    tools.mkdir()
    shutil.copy2(ROOT / "orchestration" / "setup.sh", root / "orchestration")
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (root / name).write_text(f"one==1.0  # {name}\ntwo==2.0\n")
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool} here"))
    return Clone(root, tools)


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """A clone that was set up for running."""
    clone.python()
    assert clone.setup().returncode == 0
    return clone


def test_a_fresh_clone_gets_a_venv_and_the_locked_packages(clone: Clone) -> None:
    clone.python()
    done = clone.setup()
    assert done.returncode == 0
    assert "making .venv with Python 3.12.4" in done.stderr
    assert "installing 2 locked packages" in done.stderr
    assert done.stdout == ""
    assert clone.calls("-m venv") == ["-m venv .venv"]
    locked, itself = clone.calls("-m pip")
    assert "--require-hashes -r requirements.txt" in locked
    assert "--no-deps" in locked
    assert itself.endswith("-e .")


def test_the_tools_come_from_the_other_lock(clone: Clone) -> None:
    clone.python()
    clone.setup("dev")
    assert "-r requirements-dev.txt" in clone.calls("-m pip")[0]


def test_a_second_set_up_does_nothing_at_all(ready: Clone) -> None:
    done = ready.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ready.calls("-m") == []


def test_what_has_the_tools_can_run_too(ready: Clone) -> None:
    assert ready.setup("dev").returncode == 0
    assert ready.calls("-m pip")
    ready.setup("run")
    assert ready.calls("-m") == []


def test_what_can_run_has_not_the_tools_yet(ready: Clone) -> None:
    ready.setup("dev")
    assert "-r requirements-dev.txt" in ready.calls("-m pip")[0]
    assert ready.calls("-m venv") == [], "the same .venv"


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "pyproject.toml"])
def test_a_changed_lock_is_installed_into_the_same_venv(ready: Clone, file: str) -> None:
    with (ready.root / file).open("a") as text:
        text.write("three==3.0\n")
    assert ready.setup().returncode == 0
    assert len(ready.calls("-m pip")) == 2
    assert ready.calls("-m venv") == []
    assert ready.setup().stderr == ""


def test_a_moved_clone_gets_a_new_venv_because_scripts_hold_their_place(ready: Clone) -> None:
    ready.root = ready.root.rename(ready.root.with_name("moved"))
    assert ready.setup().returncode == 0
    assert ready.calls("-m venv") == ["-m venv .venv"]


def test_a_venv_that_was_never_finished_is_made_anew(clone: Clone) -> None:
    clone.python()
    assert clone.setup(STUB_PIP="1").returncode == 1
    (clone.root / ".venv" / "half").touch()
    assert clone.setup().returncode == 0
    assert not (clone.root / ".venv" / "half").exists()


def test_a_venv_whose_python_is_gone_is_made_anew(ready: Clone) -> None:
    (ready.root / ".venv" / "bin" / "python").unlink()
    assert ready.setup().returncode == 0
    assert ready.calls("-m venv")


def test_an_install_that_fails_is_a_sentence_and_is_tried_again(clone: Clone) -> None:
    clone.python()
    done = clone.setup(STUB_PIP="1")
    assert done.returncode == 1
    assert "could not be installed: check the network and the free space" in done.stderr
    assert clone.setup().returncode == 0
    assert clone.calls("-m pip")


def test_a_python_that_is_too_old_is_a_sentence_and_exit_2(clone: Clone) -> None:
    clone.python()
    done = clone.setup(STUB_TOO_OLD="1", STUB_VERSION="3.9.2")
    assert done.returncode == 2
    assert "needs Python 3.11 or later; python3 is Python 3.9.2" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (clone.root / ".venv").exists()


def test_without_any_python_there_is_a_sentence_and_exit_2(clone: Clone) -> None:
    done = clone.setup()
    assert done.returncode == 2
    assert "there is no python3 here" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_newer_python_beside_an_old_one_is_found(clone: Clone) -> None:
    clone.python("python3.12")
    old = STUB.replace("${STUB_TOO_OLD:-0}", "1")
    (clone.tools / "python3").write_text(old)
    (clone.tools / "python3").chmod(0o755)
    done = clone.setup()
    assert done.returncode == 0
    assert (clone.root / ".venv" / "bin" / "python").read_text() == STUB


def test_python_may_be_named(clone: Clone) -> None:
    clone.python("my-python")
    assert clone.setup(PYTHON=str(clone.tools / "my-python")).returncode == 0


def test_a_named_python_that_is_missing_is_a_sentence_with_its_name(clone: Clone) -> None:
    clone.python()
    done = clone.setup(PYTHON="/no/such/python")
    assert done.returncode == 2
    assert "there is no /no/such/python here" in done.stderr


def test_a_python_without_venv_is_a_sentence_that_names_the_package(clone: Clone) -> None:
    clone.python()
    done = clone.setup(STUB_NO_VENV="1")
    assert done.returncode == 2
    assert "apt install python3-venv" in done.stderr
    assert "ensurepip is not available" in done.stderr
    assert not (clone.root / ".venv").exists()


def test_pips_cache_stays_off_unless_somebody_says_where_it_may_be(clone: Clone) -> None:
    clone.python()
    clone.setup()
    assert "--no-cache-dir" in clone.calls("-m pip")[0]
    clone.setup("dev", PIP_CACHE_DIR=str(clone.tools / "cache"))
    assert "--no-cache-dir" not in clone.calls("-m pip")[0]


def test_the_set_up_writes_nothing_outside_the_clone(clone: Clone) -> None:
    clone.python()
    home = clone.root.parent / "home"
    home.mkdir()
    before = sorted(clone.root.parent.iterdir())
    clone.setup(HOME=str(home), TMPDIR=str(home))
    assert sorted(clone.root.parent.iterdir()) == before
    assert list(home.iterdir()) == []
