"""Run an ordered tuple of steps and keep the record. Knows neither dlt nor dbt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.records import INTERRUPTED, RunRecord, StepRecord


@dataclass(frozen=True)
class Step:
    """A step: `act` does the work and returns the sentence that the summary shows for it.

    A step that runs `always` runs after a failure too; its own failure never hides the first.
    """

    name: str
    act: Callable[[], str]
    always: bool = False


TryAgain = Callable[[StepRecord, BaseException], bool]


def execute(
    steps: tuple[Step, ...],
    record: RunRecord,
    changed: Callable[[], None],
    try_again: TryAgain = lambda entry, error: False,
) -> None:
    """Run the steps in order; after the first failure only those that run always.

    After a Ctrl-C nothing more runs: whoever pressed it wants the prompt back.

    Args:
        steps: what to do; each may be begun again from its start.
        record: gets one StepRecord for each step.
        changed: called whenever the record has changed, so that it can be saved and shown.
        try_again: asked after a failure whether the step is worth another try.

    Raises:
        BaseException: the first one that a step raised, after the remaining steps.
    """
    record.steps = [StepRecord(step.name) for step in steps]
    failure: BaseException | None = None
    for step, entry in zip(steps, record.steps, strict=True):
        over = isinstance(failure, KeyboardInterrupt) or (failure and not step.always)
        if over:
            entry.status = "skipped"
            continue
        try:
            perform(step, entry, changed, try_again)
        except BaseException as error:  # Ctrl-C too must leave a whole record
            failure = failure or error
    changed()
    if failure is not None:
        raise failure


def perform(
    step: Step, entry: StepRecord, changed: Callable[[], None], try_again: TryAgain
) -> None:
    """Do one step and keep what becomes of it in its entry of the record.

    Raises:
        BaseException: what the step raised, when `try_again` does not want it any more.
    """
    entry.status, entry.started_at = "running", datetime.now(UTC)
    try:
        changed()
        while entry.status == "running":
            try:
                entry.detail = step.act()
                entry.status = "done"
            except Exception as error:
                if not try_again(entry, error):
                    raise
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        said = INTERRUPTED if interrupted else str(error) or type(error).__name__
        entry.status, entry.detail = "failed", said
        raise
    finally:
        entry.finished_at = datetime.now(UTC)
        changed()
