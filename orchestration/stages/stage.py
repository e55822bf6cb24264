"""One stage of a run: ingest, build, publish or collect, as a command of its own.

The stages of a run share its id, ECLUSE_RUN_ID, and its record. Each holds the lock while it works,
and nobody does between two of them. What a whole run does at its end is done once, by collect.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from socket import gethostname
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.concluding import conclude, fail, save_what_can_be
from orchestration.console import Console
from orchestration.dead_runs import bury
from orchestration.disk import explain
from orchestration.environment import readers_environment, tool_environment
from orchestration.errors import BROKEN, ConfigurationError, EcluseError, WarehouseUnreachable
from orchestration.incidents.unreachable import tell
from orchestration.interrupts import interruptible
from orchestration.live.progress import Followed
from orchestration.live.telling import tell_at_the_end
from orchestration.lock import give_back, run_lock
from orchestration.opening import check_id, new_record
from orchestration.provenance import git_state
from orchestration.records import BROKEN as BROKE
from orchestration.records import (
    PASSED,
    PUBLISHED,
    RUNNING,
    RunFolder,
    RunRecord,
    StepRecord,
    read_run,
)
from orchestration.run import Run
from orchestration.settings import Settings
from orchestration.stages.state import STAGES, State, Verdict, keep_state, read_state
from orchestration.store import fetch_run, push_at_the_end
from orchestration.warehouse import open_warehouse
from orchestration.workflow import Step, perform

if TYPE_CHECKING:
    from psycopg2.extensions import connection


@dataclass(frozen=True)
class Stage:
    """A stage. `sources` are those that an ingest loads."""

    name: str
    act: Callable[[Run], str]
    sources: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What can fail of it and be done again apart from the rest of the run."""
        return tuple(f"{self.name} {source}" for source in self.sources) or (self.name,)

    @property
    def collects(self) -> bool:
        """Whether it ends the run."""
        return self.name == "collect"


def run_stage(settings: Settings, stage: Stage, console: Console, wait: float = 0.0) -> RunRecord:
    """Do one stage of the run that ECLUSE_RUN_ID names, which the first one begins.

    Returns:
        The record of the run so far; after collect, whole.

    Raises:
        ConfigurationError: there is no id, the run is over, or an earlier stage stands failed.
        EcluseError: what the stage raised; the run waits for it to be done again, or for collect.
    """
    run_id = check_id(settings)
    record = RunRecord(run_id, "run")
    try:
        warehouse = open_warehouse(settings, record.notes.append)
        os.environ.update(tool_environment(settings, warehouse))
        with run_lock(warehouse, run_id, wait, console.say) as session:
            ops.create_tables(session)
            os.environ.update(readers_environment(session, settings))
            state = read_state(session, run_id)
            if said := _already(state, stage, run_id):
                console.say(f"{stage.name:8} {said}")
                return state.record if state else record
            state = state or _begun(settings, session, run_id)
            state.record.notes += record.notes
            record = state.record
            folder = _here(settings, state, str(warehouse))
            run = Run(settings, warehouse, record, folder, Followed(console, folder.path), session)
            with _at_work(run, state, stage):
                _perform(run, stage)
        return record
    except BaseException as error:
        explained = explain(error, settings)
        if isinstance(explained or error, WarehouseUnreachable):
            tell(settings, record, str(explained or error))
        if explained:
            raise explained from error
        raise


def _already(state: State | None, stage: Stage, run_id: str) -> str:
    """Why there is nothing to do, if there is nothing.

    Raises:
        ConfigurationError: there is something that cannot be done any more, or not yet.
    """
    if state is None:
        return f"run {run_id} never began" if stage.collects else ""
    published = state.record.published
    if published and stage.name == "publish" and "publish" not in state.failed:
        return f"already published as version {published['version']}"
    if state.closed and published and stage.collects and "collect" not in state.failed:
        return f"already over: published as version {published['version']}"
    if published and stage.name in {"ingest", "build"}:
        raise ConfigurationError(
            f"Run {run_id} is published already, as version {published['version']}: begin a new "
            "run, with another ECLUSE_RUN_ID."
        )
    before = () if stage.collects else STAGES[: STAGES.index(stage.name)]
    if missing := [part for part in state.failed if part.partition(" ")[0] in before]:
        raise ConfigurationError(
            f"Run {run_id} cannot {stage.name} yet: {missing[0]} failed ("
            f"{state.failed[missing[0]].reason}). Do that stage again first."
        )
    return ""


def _begun(settings: Settings, session: "connection", run_id: str) -> State:
    """A new run; also where a first stage was killed before Postgres had heard of it."""
    if ops.knows(session, run_id) or read_run(settings.runs_dir, run_id).get("finished_at"):
        raise ConfigurationError(
            f"There is a run {run_id!r} already, and it was not made of stages: give "
            "ECLUSE_RUN_ID anew."
        )
    record = new_record(replace(settings, run_id=None), "run")
    record.run_id = run_id
    record.steps = [StepRecord(name) for name in STAGES]
    return State(record)


def _here(settings: Settings, state: State, warehouse: str) -> RunFolder:
    """The run's folder on this machine, with the files of the stages that were done elsewhere."""
    folder = RunFolder(settings.runs_dir, state.record.run_id)
    here, before = gethostname(), state.host
    state.host = state.record.host = here
    state.record.pid, state.record.warehouse = os.getpid(), warehouse
    if before and (before != here or not folder.path.exists()):
        _fetch(settings, state.record, before)
    folder.save(state.record)
    return folder


def _fetch(settings: Settings, record: RunRecord, before: str) -> None:
    try:
        if settings.artifacts is None:
            raise ConfigurationError("name a store that both machines use in ECLUSE_ARTIFACTS")
        fetch_run(settings, record.run_id, anew=True)
    except EcluseError as error:
        record.notes.append(f"the files of the stages on {before} are not here: {error}")


@contextmanager
def _at_work(run: Run, state: State, stage: Stage) -> Iterator[None]:
    """Open the run again, and leave it open, or over after collect, whatever the block raises."""
    record, settings = run.record, run.settings
    _reopen(run, state, stage)
    try:
        with interruptible(), run.warehouse.explained(run.lost):
            yield
        _clear(state, stage)
    except BaseException as error:
        fail(record, explain(error, settings) or error)
        verdict = Verdict(record.status, record.exit_code or BROKEN, record.reason or "")
        _clear(state, stage)
        loaded = {f"ingest {load.source}" for load in record.loads if not load.error}
        state.failed |= {part: verdict for part in stage.parts if part not in loaded}
        raise
    finally:
        state.judge()
        state.begun = run.events.begun()
        record.finished_at = None
        if stage.collects:
            _end(record)
            state.closed = True
            conclude(run, keep=lambda: keep_state(run.session, state))
            tell_at_the_end(settings, record, run.folder)
        else:
            save_what_can_be(run, keep=lambda: keep_state(run.session, state))
            give_back(run.session)
            if run.events.close():
                run.folder.save(record)
        push_at_the_end(settings, record, run.folder)


def _reopen(run: Run, state: State, stage: Stage) -> None:
    """Until it has ended, a stage counts as killed: nobody else can say so."""
    record, again = run.record, state.closed
    record.finished_at, record.status, state.closed = None, RUNNING, False
    commit, dirty = git_state(run.settings.root)
    if record.git_commit not in {None, commit}:
        run.note(f"{stage.name} was done at commit {commit}, the run began at {record.git_commit}")
    if stage.name == "build":  # what is published is made of this code
        record.git_commit, record.git_dirty = commit, dirty
    for step in record.steps:
        if step.status == "running":
            step.status, step.detail, step.finished_at = "failed", "killed", datetime.now(UTC)
    record.buried = []
    record.notes += bury(run.session, run.settings.runs_dir, record)
    for dead in record.buried:
        run.events.bury(dead)
    killed = Verdict(BROKE, BROKEN, f"the stage {stage.name} was killed")
    kept = dict(state.failed)
    state.failed |= dict.fromkeys(stage.parts, killed)
    with ops.transaction(run.session):
        ops.save_run(run.session, record)
        keep_state(run.session, state)
    state.failed = kept
    run.events.go_on(state.begun, again)
    run.console.known(record)


def _perform(run: Run, stage: Stage) -> None:
    entry = next(step for step in run.record.steps if step.step == stage.name)
    first = entry.started_at if entry.status == "done" else None
    entry.retries = []
    perform(Step(stage.name, lambda: stage.act(run)), entry, run.changed, run.try_again)
    entry.started_at = first or entry.started_at
    if any(load.error for load in run.record.loads) and stage.name == "ingest":
        entry.status = "failed"  # of another source


def _clear(state: State, stage: Stage) -> None:
    for part in stage.parts:
        state.failed.pop(part, None)


def _end(record: RunRecord) -> None:
    for step in record.steps:
        if step.status == "waiting":
            step.status = "skipped"
    if record.exit_code is None:
        record.exit_code = 0
        record.status = PUBLISHED if record.published else PASSED
