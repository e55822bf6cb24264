"""Which code and which versions a run was made of, and how to get that code again."""

import io
import platform
import subprocess
import tarfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orchestration.errors import ConfigurationError

MODELS = ("dbt_project", "dbt_project.yml")  # what a rebuild needs; profiles.yml is today's
CODE = "code.tar.gz"
PACKAGES = ("ecluse", "dlt", "dbt-core", "dbt-postgres", "pyarrow", "sqlalchemy")


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit checked out at `root`, and whether files differ from it; None without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(root, "status", "--porcelain")
    return commit.strip(), None if changes is None else bool(changes.strip())


def keep_models(root: Path, folder: Path) -> None:
    """Keep the models as they stand, for a run whose commit does not tell all of its code."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / CODE, "w:gz") as archive:
        for name in MODELS:
            archive.add(root / name, name)


def restore_models(root: Path, folder: Path, commit: str | None, into: Path) -> str:
    """Unpack the models of a run into `into`; returns where they came from.

    Args:
        root: the repository.
        folder: the run's folder, which holds them if the run was of uncommitted changes.
        commit: the commit of the run.
        into: an empty folder.

    Raises:
        ConfigurationError: they are neither here nor in git.
    """
    if (folder / CODE).exists():
        with tarfile.open(folder / CODE) as archive:
            _unpack(archive, into)
        return f"{folder.name}/{CODE}"
    try:
        unpack_commit(root, commit or "no-commit", MODELS, into)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The models of commit {commit or '(none)'} are not to be had: git does not know it "
            f"here, and {folder} holds no {CODE}. Fetch the commit, or replay where the run was."
        ) from error
    return f"commit {commit}"


def unpack_commit(root: Path, ref: str, names: tuple[str, ...], into: Path) -> None:
    """Unpack files of a commit into `into`.

    Raises:
        ConfigurationError: git does not know the commit here, or it has no such files.
    """
    try:
        made = subprocess.run(
            ["git", "-C", str(root), "archive", ref, "--", *names],
            capture_output=True, check=True, timeout=60,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"git does not know {ref!r} here, or not its models.") from error
    with tarfile.open(fileobj=io.BytesIO(made)) as archive:
        _unpack(archive, into)


def merge_base(root: Path) -> str:
    """The commit at which the branch left main.

    Raises:
        ConfigurationError: there is no git here, or no main.
    """
    if found := _git(root, "merge-base", "HEAD", "main"):
        return found.strip()
    raise ConfigurationError(
        "Nothing is published yet, and git knows no main to compare with: give --base REF."
    )


def _unpack(archive: tarfile.TarFile, into: Path) -> None:
    """Nothing outside of `into`, where Python knows how: from 3.11.4 on."""
    archive.extraction_filter = getattr(tarfile, "data_filter", None)
    archive.extractall(into)  # noqa: S202 - made by us or by git


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape the data."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
