"""What the machine must have: Python, the locked packages, room on the disk, tools, a port."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from orchestration.doctor.finding import Finding, failed, warned, well
from orchestration.settings import Settings

OLDEST = (3, 11)
LITTLE, TOO_LITTLE = 2 * 2**30, 256 * 2**20  # bytes
SHOWN = 3  # packages
PORT = 8080  # of `make docs` and `ecluse serve`
TOOLS = {
    "git": "runs note the commit, and `ecluse replay` rebuilds it",
    "make": "`make run` and the others are shortcuts for .venv/bin/ecluse",
}


def look(settings: Settings) -> Iterator[Finding]:
    """Check the machine."""
    yield _python()
    yield _packages(settings.root)
    yield from _disk(settings)
    yield from _tools()
    yield _port()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return failed("python", f"{version}: 3.11 or later is needed", "make PYTHON=python3.12 run")
    return well("python", f"{version} in {sys.prefix}")


def _packages(root: Path) -> Finding:
    """Whether what is installed is what the lock says of this Python on this system."""
    from packaging.requirements import Requirement

    lines = re.findall(r"^[a-z0-9].*==[^\\\n]*", _read(root / "requirements.txt"), re.MULTILINE)
    locked = [each for each in map(Requirement, lines) if not each.marker or each.marker.evaluate()]
    strays = [f"{each.name} {_installed(each.name)} (locked: {each.specifier})" for each in locked
              if not each.specifier.contains(_installed(each.name), prereleases=True)]  # fmt: skip
    if strays:
        more = f" and {len(strays) - SHOWN} more" if len(strays) > SHOWN else ""
        return warned("packages", f"{', '.join(strays[:SHOWN])}{more}", "rm -rf .venv; make setup")
    return well("packages", f"the {len(locked)} of requirements.txt are as locked")


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "0"


def _disk(settings: Settings) -> Iterator[Finding]:
    for place in dict.fromkeys((settings.root, settings.runs_dir, settings.state_dir)):
        if place.exists() and not os.access(place, os.W_OK):
            yield failed("disk", f"{place} cannot be written", f"chown -R $USER {place}")
    there = next(p for p in (settings.state_dir, *settings.state_dir.parents) if p.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 2**30:,.1f} GB free in {settings.root}"
    # an embedded warehouse keeps two versions of the marts, and builds a third
    mend = "make room, or point ECLUSE_WAREHOUSE_URL at a server that has it"
    if free < TOO_LITTLE:
        yield failed("disk", said, mend)
    else:
        yield warned("disk", said, mend) if free < LITTLE else well("disk", said)


def _tools() -> Iterator[Finding]:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    for tool in missing:
        yield warned("tools", f"there is no {tool}: {TOOLS[tool]}", f"install {tool}")
    if not missing:
        yield well("tools", ", ".join(TOOLS))


def _port() -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            mend = "stop what listens there, or `.venv/bin/ecluse docs --port 0`"
            return warned("ports", f"{PORT}, where `make docs` serves the site, is taken", mend)
    return well("ports", f"{PORT} is free for `make docs`")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
