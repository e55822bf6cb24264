"""The documentation cannot rot: every command, verb and setting stands in it, and no other."""

import re

import click
import pytest

from orchestration.cli import ecluse
from orchestration.settings import ROOT, VARIABLES

COMMANDS = (ROOT / "docs" / "commands.md").read_text()
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
VERBS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def _leaves(group: click.Group, prefix: str = "ecluse") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        found |= _leaves(command, full) if isinstance(command, click.Group) else {full: command}
    return found


LEAVES = _leaves(ecluse)


@pytest.mark.parametrize("command", sorted(LEAVES))
def test_every_command_and_option_is_documented(command: str) -> None:
    assert f"`{command}" in COMMANDS
    rows = [line for line in COMMANDS.splitlines() if line.startswith(f"| `{command}")]
    for parameter in LEAVES[command].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert option in rows[0], f"{option} of {command} is missing"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_is_documented(verb: str) -> None:
    assert f"| `make {verb}` |" in COMMANDS


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in COMMANDS


def test_nothing_is_documented_that_is_not_there() -> None:
    texts = [path.read_text() for path in (ROOT / "docs").glob("*.md")] + [README]
    for text in texts:
        for verb in re.findall(r"`make ([a-z-]+)", text):
            assert verb in VERBS, verb
        for words in re.findall(r"`(?:\.venv/bin/)?ecluse ([a-z][a-z -]*)", text):
            name = " ".join(words.split()[:2])
            known = any(full.startswith(f"ecluse {name.split()[0]}") for full in LEAVES)
            assert known, f"ecluse {words}"
    documented = set(re.findall(r"^\| `(ECLUSE_[A-Z_]+)` \|", COMMANDS, re.MULTILINE))
    assert documented == {name for name in VARIABLES if name.startswith("ECLUSE_")}


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) < 120
    for target in re.findall(r"\]\(([^)#]+)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_make_without_a_verb_lists_the_verbs() -> None:
    assert ".DEFAULT_GOAL := help" in MAKEFILE
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
    assert phony == VERBS
