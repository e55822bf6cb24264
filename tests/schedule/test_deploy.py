"""The files in docs/deploy: their commands are ours, their tools accept them."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from orchestration.cli import ecluse
from orchestration.schedule.cron import parse_schedule
from orchestration.settings import ROOT, VARIABLES

DEPLOY = ROOT / "docs" / "deploy"
UNITS = ("ecluse.service", "ecluse-schedule.service", "ecluse.timer")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
# what the Compose specification knows of a service, as far as it is used here
SERVICE = {"image", "build", "command", "environment", "volumes", "ports", "depends_on", "init",
           "restart", "healthcheck", "stop_grace_period", "shm_size"}  # fmt: skip
HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period"}


def understood(args: list[str]) -> bool:
    """Whether our command line takes these arguments; nothing is run."""
    done = CliRunner().invoke(ecluse, [*args, "--help"])
    assert done.exit_code == 0, done.output
    return done.output.startswith("Usage: ecluse " + args[0])


def test_the_commands_of_the_units_and_of_cron_are_ours() -> None:
    found = 0
    for name in (*UNITS, "crontab"):
        for words in re.findall(
            r"/?[\w/.]*\.venv/bin/ecluse ([^>\n]+)", (DEPLOY / name).read_text()
        ):
            assert understood(shlex.split(words))
            found += 1
    assert found == 3


def test_the_line_for_cron_is_one() -> None:
    lines = (DEPLOY / "crontab").read_text().splitlines()
    (line,) = [each for each in lines if re.match(r"[\d*]", each)]
    minute, hour, day, month, weekday, command = line.split(maxsplit=5)
    assert parse_schedule([f"{minute} {hour} {day} {month} {weekday}"], "UTC")
    assert "%" not in command  # cron makes a line end of it
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = tmp_path / "ecluse"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/opt/ecluse/.venv/bin/ecluse", str(program))
        (tmp_path / name).write_text(text.replace("User=ecluse", f"User={os.getuid()}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *UNITS], cwd=tmp_path, capture_output=True,
        text=True, check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "ecluse" in line]
    if done.returncode and not said:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()[:200]}")
    assert not said


def test_compose_has_three_services_of_known_parts() -> None:
    assert set(COMPOSE) == {"name", "services", "volumes", "x-ecluse"}
    assert set(COMPOSE["services"]) == {"postgres", "schedule", "site"}
    for service in COMPOSE["services"].values():
        assert set(service) <= SERVICE
        assert set(service.get("healthcheck", {})) <= HEALTHCHECK
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        for each in service["volumes"]:
            assert each.partition(":")[0] in COMPOSE["volumes"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for name in service["environment"]:
            assert name in VARIABLES or name.startswith("POSTGRES_")
    for name in ("schedule", "site"):
        assert understood(COMPOSE["services"][name]["command"])
    health = COMPOSE["services"]["schedule"]["healthcheck"]["test"]
    compile(health[3], "health", "exec")
    assert COMPOSE["services"]["schedule"]["command"][2].split(":")[1] in health[3]


def test_no_secret_stands_in_the_compose_file() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|URL", name):
                assert "${" in value
                assert ":?" in value


def test_the_image_is_made_of_what_there_is_and_starts_as_somebody_who_is_not_root() -> None:
    build = COMPOSE["services"]["site"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    for words in re.findall(r"^COPY (.*) [^ ]+$", DOCKERFILE, re.MULTILINE):
        assert not [name for name in words.split() if not (ROOT / name).exists()]
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["ecluse"]
    assert understood(["schedule"])
