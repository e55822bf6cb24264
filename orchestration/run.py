"""One run from its first breath to its record: warehouse, lock, leftovers, status, exit code."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.console import Console
from orchestration.dead_runs import bury
from orchestration.environment import tool_environment
from orchestration.errors import (
    BAD_DATA,
    BROKEN,
    LOCKED,
    ConfigurationError,
    EcluseError,
    interrupt_code,
)
from orchestration.interrupts import interruptible
from orchestration.lock import run_lock
from orchestration.provenance import git_state, versions
from orchestration.records import BROKEN as BROKE
from orchestration.records import (
    CANCELLED,
    PASSED,
    PUBLISHED,
    REJECTED,
    RUNNING,
    WAITING,
    RunFolder,
    RunRecord,
    new_run_id,
)
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

# A folder's name, and with "ecluse run " before it an application name: Postgres cuts at 63 bytes.
ALLOWED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


@dataclass
class Run:
    """What every step works with. `session` is the connection that holds the lock."""

    settings: Settings
    warehouse: Warehouse
    record: RunRecord
    folder: RunFolder
    console: Console
    session: "connection"

    def changed(self) -> None:
        """Save the record, here and in ops, and show it."""
        self.folder.save(self.record)
        ops.save_run(self.session, self.record)
        self.console.show(self.record)

    def note(self, text: str) -> None:
        """Keep a sentence for the summary."""
        self.record.notes.append(text)


@contextmanager
def recorded_run(
    settings: Settings,
    kind: str,
    console: Console,
    wait: float = 0.0,
    record: RunRecord | None = None,
) -> Iterator[Run]:
    """Open the warehouse, take the lock, clean up after dead runs, and keep the record.

    Whatever the block raises ends in the record as status, exit code and reason, and is raised
    again. A run that never got the lock leaves its file, which says so, and nothing in ops.

    Raises:
        EcluseError: from the set-up or from the block.
    """
    record = record or new_record(settings, kind)
    folder = RunFolder(settings.runs_dir, record.run_id)
    folder.save(record)
    try:
        warehouse = open_warehouse(settings, record.notes.append)
        record.warehouse = str(warehouse)
        os.environ.update(tool_environment(settings, warehouse))
        with run_lock(warehouse, record.run_id, wait, console.say) as session:
            ops.create_tables(session)
            run = Run(settings, warehouse, record, folder, console, session)
            record.status = RUNNING
            record.notes += bury(session, settings.runs_dir, record)
            try:
                with interruptible(), warehouse.explained(session), _disk_explained():
                    yield run
            except BaseException as error:
                _fail(record, error)
                raise
            else:
                record.status = PASSED if record.status == RUNNING else record.status
                record.exit_code = 0
            finally:
                record.finished_at = datetime.now(UTC)
                _save_what_can_be(run)
    except BaseException as error:
        if record.finished_at is None:
            _fail(record, error)
            record.finished_at = datetime.now(UTC)
        folder.save(record)
        raise


@contextmanager
def _disk_explained() -> Iterator[None]:
    """Turn a file that cannot be written into a sentence; any other OSError is a defect of ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        raise ConfigurationError(
            f"{error.filename or 'A file'} cannot be written: {error.strerror}. Make it writable, "
            "or free some space, and run again."
        ) from error


def new_record(settings: Settings, kind: str) -> RunRecord:
    """The record of a run that is about to begin.

    Raises:
        ConfigurationError: ECLUSE_RUN_ID cannot be used.
    """
    record = RunRecord(_run_id(settings), kind, status=WAITING)
    record.git_commit, record.git_dirty = git_state(settings.root)
    record.versions = versions()
    return record


def _run_id(settings: Settings) -> str:
    given = settings.run_id
    if given is None:
        return new_run_id()
    if not ALLOWED_ID.fullmatch(given):
        raise ConfigurationError(
            f"ECLUSE_RUN_ID is {given!r}: use up to 50 letters, digits, - _ and ., and begin with "
            "a letter or a digit."
        )
    if (settings.runs_dir / given / "run.json").exists():
        raise ConfigurationError(f"There is a run {given!r} already: give ECLUSE_RUN_ID anew.")
    return given


def _fail(record: RunRecord, error: BaseException) -> None:
    """Why and how the run ended. Marts that were switched stay published, whatever came after."""
    if isinstance(error, KeyboardInterrupt):
        status, record.exit_code, record.reason = CANCELLED, interrupt_code(error), "interrupted"
    else:
        code = record.exit_code = getattr(error, "exit_code", BROKEN)
        status = REJECTED if code == BAD_DATA else "locked" if code == LOCKED else BROKE
        known = isinstance(error, EcluseError)
        record.reason = str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
    record.status = PUBLISHED if record.published else status


def _save_what_can_be(run: Run) -> None:
    """The last word on a run. Postgres may be what broke, so the file goes first."""
    import psycopg2

    run.folder.save(run.record)
    try:
        ops.save_run(run.session, run.record)
        ops.save_details(run.session, run.record)
    except psycopg2.Error as error:
        run.note(f"the record could not be written to Postgres: {str(error).splitlines()[0]}")
        run.folder.save(run.record)
