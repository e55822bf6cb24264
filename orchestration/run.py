"""One run from its first breath to its record: warehouse, lock, leftovers, status, exit code."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.concluding import conclude, fail
from orchestration.console import Console
from orchestration.dead_runs import bury
from orchestration.disk import explain
from orchestration.environment import readers_environment, tool_environment
from orchestration.errors import (
    ConfigurationError,
    RunLocked,
    WarehouseLost,
    WarehouseUnreachable,
)
from orchestration.faults import PAUSES, passing_fault
from orchestration.incidents.unreachable import tell
from orchestration.interrupts import interruptible
from orchestration.live.progress import Followed
from orchestration.live.telling import tell_at_the_end
from orchestration.lock import run_lock, take_lock
from orchestration.opening import new_record
from orchestration.openlineage.emitter import Emitter
from orchestration.records import PASSED, RUNNING, RunFolder, RunRecord, StepRecord
from orchestration.settings import Settings
from orchestration.store import push_at_the_end
from orchestration.warehouse import Warehouse, open_warehouse, parse_url

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.dbt import NodeNews

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
                fail(record, explain(error, settings) or error)
                raise
            else:
                record.status = PASSED if record.status == RUNNING else record.status
                record.exit_code = 0
            finally:
                conclude(run)
    except BaseException as error:
        explained = explain(error, settings)
        if record.finished_at is None:
            fail(record, explained or error)
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
        push_at_the_end(settings, record, folder)
