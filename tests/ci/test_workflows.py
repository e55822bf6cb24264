"""What is ready for CI systems fits the project: valid YAML, known commands and options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.cli import ecluse
from orchestration.settings import ROOT

GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB, HOOKS = ROOT / ".gitlab-ci.yml", ROOT / ".pre-commit-config.yaml"
VERBS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
LOCKED = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-dev.txt").read_text(), re.M))


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def _scripts(node: Any) -> Iterator[str]:
    """Every command that a workflow runs."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in {"run", "script", "before_script", "after_script", "entry"}:
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _scripts(value)
    elif isinstance(node, list):
        for each in node:
            yield from _scripts(each)


@pytest.mark.parametrize("path", [*GITHUB, GITLAB, HOOKS], ids=lambda path: path.name)
def test_a_workflow_calls_what_there_is(path: Path) -> None:
    scripts = list(_scripts(_read(path)))
    assert scripts
    for line in "\n".join(scripts).splitlines():
        for verb in re.findall(r"\bmake ([a-z-]+)$", line.strip()):
            assert verb in VERBS
        for file in re.findall(r"(?:sh|bash) ([a-z./-]+/[a-z.]+)", line):
            assert (ROOT / file).exists(), file
        for words in re.findall(r"\.venv/bin/ecluse ([^)]*)", line):
            name, *args = shlex.split(words.replace('"', ""))
            options = {opt for each in ecluse.commands[name].params for opt in each.opts}
            assert {arg for arg in args if arg.startswith("--")} <= options


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_a_workflow_of_github_is_one_and_takes_no_text_of_strangers(path: Path) -> None:
    found = _read(path)
    assert {"name", True, "permissions", "jobs"} <= found.keys()  # YAML reads `on` as true
    for job in found["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= job.keys()
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    # an expression in a script is pasted into it before any shell quotes it
    assert not [script for script in _scripts(found) if "${{" in script]


def test_hooks_are_local_use_locked_tools_and_match_files_that_there_are() -> None:
    (repo,) = _read(HOOKS)["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook["language"] == "system"
        tools = re.findall(r"\.venv/bin/([a-z-]+)", hook["entry"])
        assert tools
        assert set(tools) <= LOCKED | {"ecluse", "dbt"}
        files = [str(path.relative_to(ROOT)) for path in (ROOT / "dbt_project").rglob("*.sql")]
        assert "files" not in hook or any(re.search(hook["files"], name) for name in files)


def test_the_exit_code_of_ci_is_the_gate_of_each_system() -> None:
    for path in (ROOT / ".github/workflows/pull-request.yml", GITLAB):
        (gate,) = re.findall(r".*\.venv/bin/ecluse ci.*", path.read_text())
        assert "||" not in gate
        assert "continue-on-error" not in path.read_text()
        assert "allow_failure" not in path.read_text()
