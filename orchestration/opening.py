"""How a run's record begins: its id, the code that it is made of."""

import re

from orchestration.errors import ConfigurationError
from orchestration.provenance import git_state, versions
from orchestration.records import WAITING, RunRecord, new_run_id
from orchestration.settings import Settings

# A folder's name, and with "ecluse run " before it an application name: Postgres cuts at 63 bytes.
ALLOWED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")


def new_record(settings: Settings, kind: str) -> RunRecord:
    """The record of a run that is about to begin.

    Raises:
        ConfigurationError: ECLUSE_RUN_ID cannot be used.
    """
    record = RunRecord(_run_id(settings), kind, status=WAITING)
    record.git_commit, record.git_dirty = git_state(settings.root)
    record.versions = versions()
    return record


def check_id(settings: Settings) -> str:
    """ECLUSE_RUN_ID.

    Raises:
        ConfigurationError: it is not set, or cannot be used.
    """
    given = settings.run_id
    if given is None:
        raise ConfigurationError(
            "A stage belongs to a run: name it, the same for all its stages, with ECLUSE_RUN_ID. "
            "`ecluse run` does all of them at once."
        )
    if not ALLOWED_ID.fullmatch(given):
        raise ConfigurationError(
            f"ECLUSE_RUN_ID is {given!r}: use up to 50 letters, digits, - _ and ., and begin with "
            "a letter or a digit."
        )
    return given


def _run_id(settings: Settings) -> str:
    if settings.run_id is None:
        return new_run_id()
    given = check_id(settings)
    if (settings.runs_dir / given / "run.json").exists():
        raise ConfigurationError(f"There is a run {given!r} already: give ECLUSE_RUN_ID anew.")
    return given
