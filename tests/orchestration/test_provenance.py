"""The models of a run that was: kept with it where git does not have them, and unpacked again."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from orchestration.provenance import keep_models, restore_models

MODEL = "dbt_project/models/m.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that is no git checkout."""
    root = tmp_path / "root"
    (root / MODEL).parent.mkdir(parents=True)
    (root / MODEL).write_text("select 1")
    (root / "dbt_project.yml").write_text("name: x")
    (root / "profiles.yml").write_text("x: y")
    return root


def test_models_are_unpacked_as_they_were(root: Path, tmp_path: Path) -> None:
    keep_models(root, tmp_path / "run")
    (root / MODEL).write_text("select 2")
    restore_models(root, tmp_path / "run", None, tmp_path / "again")
    assert (tmp_path / "again" / MODEL).read_text() == "select 1"


def test_also_by_a_python_that_knows_no_filters_for_archives(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They came with 3.11.4; Debian 12 has an older one."""
    new = tarfile.TarFile.extractall

    def old(self: tarfile.TarFile, path: Any = ".", members: Any = None, *,
            numeric_owner: bool = False) -> None:  # fmt: skip
        new(self, path, members, numeric_owner=numeric_owner)

    monkeypatch.setattr(tarfile.TarFile, "extractall", old)
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    keep_models(root, tmp_path / "run")
    restore_models(root, tmp_path / "run", None, tmp_path / "again")
    assert (tmp_path / "again" / MODEL).read_text() == "select 1"
