"""One run from its first breath to its record: warehouse, lock, leftovers, status, exit code."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.console import Console
from orchestration.dead_runs import bury
from orchestration.disk import explain
from orchestration.environment import readers_environment, tool_environment
from orchestration.errors import (
    BAD_DATA,
    BROKEN,
    LOCKED,
    ConfigurationError,
    EcluseError,
    RunLocked,
    WarehouseLost,
    WarehouseUnreachable,
    interrupt_code,
)
from orchestration.faults import PAUSES, passing_fault
from orchestration.incidents.conclude import deliver_after, settle_after
from orchestration.incidents.unreachable import tell
from orchestration.interrupts import interruptible
from orchestration.live.progress import Followed
from orchestration.live.telling import tell_at_the_end, write_metrics_after
from orchestration.lock import give_back, run_lock, take_lock
from orchestration.openlineage.emitter import Emitter
from orchestration.provenance import git_state, versions
from orchestration.publication.versions import published_by
from orchestration.records import BROKEN as BROKE
from orchestration.records import (
    CANCELLED,
    INTERRUPTED,
    PASSED,
    PUBLISHED,
    REJECTED,
    RUNNING,
    WAITING,
    RunFolder,
    RunRecord,
    StepRecord,
    new_run_id,
)
from orchestration.settings import Settings
from orchestration.site.writer import write_after
from orchestration.warehouse import Warehouse, open_warehouse, parse_url

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.dbt import NodeNews

# A folder's name, and with "ecluse run " before it an application name: Postgres cuts at 63 bytes.
ALLOWED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")
PATIENCE = 30.0  # seconds for a server to come back, and to notice that our connection is gone


@dataclass
class Run:
    """What every step works with. `session` is the connection that holds the lock."""

    settings: Settings
    warehouse: Warehouse
    record: RunRecord
    folder: RunFolder
    console: Console
    session: "connection"
    idle: bool = False  # there is nothing to publish
    given_up: bool = False  # the server was waited for in vain; the steps that follow do not wait
    events: Emitter = field(init=False)  # what other systems are told of the run

    def __post_init__(self) -> None:
        """Be ready to tell."""
        self.events = Emitter(self.settings, self.warehouse, self.record, self.folder.path)

    @property
    def loader(self) -> Warehouse:
        """The warehouse as dlt logs in to it: with a login of its own, if there is one."""
        url = self.settings.loader_url
        return parse_url(url, "ECLUSE_LOADER_URL") if url else self.warehouse

    def lost(self) -> bool:
        """Whether the connection that holds the lock is gone."""
        return bool(self.session.closed)

    def try_again(self, step: StepRecord, error: BaseException) -> bool:
        """Whether `step` may be begun again: after a fault that passes, a pause, and with our lock.

        Raises:
            RunLocked: another run has taken over while Postgres was away.
        """
        fault = passing_fault(error)
        if fault is None or len(step.retries) == len(PAUSES):
            return False
        pause = PAUSES[len(step.retries)]
        step.retries.append(fault)
        self.note(f"{step.step} was begun again after a fault that passes: {fault}")
        self.console.say(f"{step.step:8} again in {pause:.0f} s: {fault}")
        time.sleep(pause)
        self._reconnect()
        return True

    def _reconnect(self) -> None:
        """Take the lock anew if our connection, and with it the lock, is gone."""
        import psycopg2

        try:
            with self.session.cursor() as cursor:
                cursor.execute("rollback")
            return
        except psycopg2.Error:
            self.session.close()
        deadline = time.monotonic() + (0 if self.given_up else PATIENCE)
        while self.session.closed:
            try:
                open_warehouse(self.settings, self.note)
                who = self.record.run_id
                self.session = take_lock(self.warehouse, who, PATIENCE, self.console.say)
            except WarehouseUnreachable as error:
                if time.monotonic() > deadline:
                    self.given_up = True
                    raise WarehouseLost(str(error)) from error
                time.sleep(0.5)
        if ops.is_buried(self.session, self.record.run_id):
            raise RunLocked("Another run took over while Postgres was away: this one ends here.")

    def changed(self) -> None:
        """Save the record, here and in ops, and show it."""
        import psycopg2

        self.folder.save(self.record)
        self.console.show(self.record)
        self.events.follow()
        try:
            ops.save_run(self.session, self.record)
        except psycopg2.Error as error:
            if passing_fault(error) is None:
                raise
            self._reconnect()
            ops.save_run(self.session, self.record)

    def show_node(self, news: "NodeNews") -> None:
        """Show a person what a dbt node has come to."""
        self.console.node(news.unique_id, news.status, news.seconds)

    def node(self, news: "NodeNews") -> None:
        """A node of the marts has started or ended: show it, and tell whoever follows lineage."""
        self.show_node(news)
        self.events.node(news)

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
            os.environ.update(readers_environment(session, settings))
            run = Run(settings, warehouse, record, folder, Followed(console, folder.path), session)
            record.status = RUNNING
            record.notes += bury(session, settings.runs_dir, record)
            for dead in record.buried:
                run.events.bury(dead)
            run.events.begin()
            try:
                with interruptible(), warehouse.explained(run.lost):
                    yield run
            except BaseException as error:
                _fail(record, explain(error, settings) or error)
                raise
            else:
                record.status = PASSED if record.status == RUNNING else record.status
                record.exit_code = 0
            finally:
                _conclude(run)
    except BaseException as error:
        explained = explain(error, settings)
        if record.finished_at is None:
            _fail(record, explained or error)
            record.finished_at = datetime.now(UTC)
        if isinstance(explained or error, WarehouseUnreachable):
            tell(settings, record, str(explained or error))
        with suppress(ConfigurationError):  # the first error is the one to tell
            folder.save(record)
        if explained:
            raise explained from error
        raise
    finally:
        tell_at_the_end(settings, record, folder)


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
        status, record.exit_code, record.reason = CANCELLED, interrupt_code(error), INTERRUPTED
    else:
        code = record.exit_code = getattr(error, "exit_code", BROKEN)
        status = REJECTED if code == BAD_DATA else "locked" if code == LOCKED else BROKE
        known = isinstance(error, EcluseError)
        record.reason = str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
    record.status = PUBLISHED if record.published else status


def _conclude(run: Run) -> None:
    """Keep the end of a run, then tell of it, which changes nothing of how it ended."""
    run.record.finished_at = datetime.now(UTC)
    run.events.end()
    _save_what_can_be(run)
    if any([settle_after(run), write_after(run), write_metrics_after(run)]):
        _save_file(run)
    give_back(run.session)
    if any([run.events.close(), deliver_after(run)]):
        _save_file(run)


def _save_what_can_be(run: Run) -> None:
    """The last word on a run. Postgres may be what broke, so the file goes first."""
    import psycopg2

    record = run.record  # of what may have been stopped between its switch and saying so
    with suppress(psycopg2.Error), run.session.cursor() as cursor:
        record.published = record.published or published_by(cursor, record.run_id)
        record.status = PUBLISHED if record.published else record.status
    unwritten = _save_file(run)
    try:
        ops.save_run(run.session, record)
        ops.save_details(run.session, record)
    except psycopg2.Error as error:
        run.note(f"the record could not be written to Postgres: {str(error).splitlines()[0]}")
        unwritten = _save_file(run)
    if unwritten and not record.exit_code:
        raise unwritten


def _save_file(run: Run) -> ConfigurationError | None:
    """Why the record's file cannot be written; that must not keep ops from knowing the end."""
    try:
        run.folder.save(run.record)
    except ConfigurationError as error:
        run.note(str(error))
        return error
    return None
