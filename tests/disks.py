"""Small disks, to be filled: only root can mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LEFT = 100_000  # bytes on a full disk: enough to begin with, and for nothing more


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of that size at `place`, a new folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def full(place: Path) -> Iterator[None]:
    """All but a little of the disk at `place` is taken for the length of the block."""
    filler = place / "somebody_elses_file"
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(place).free - LEFT)))
    try:
        yield
    finally:
        filler.unlink()
