"""How a run ends: why, the last words in its record, and who is told of it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration import ops
from orchestration.errors import (
    BAD_DATA,
    BROKEN,
    LOCKED,
    ConfigurationError,
    EcluseError,
    interrupt_code,
)
from orchestration.incidents.conclude import deliver_after, settle_after
from orchestration.live.telling import write_metrics_after
from orchestration.lock import give_back
from orchestration.publication.versions import published_by
from orchestration.records import BROKEN as BROKE
from orchestration.records import CANCELLED, INTERRUPTED, PUBLISHED, REJECTED, RunRecord
from orchestration.site.writer import write_after

if TYPE_CHECKING:
    from orchestration.run import Run


def fail(record: RunRecord, error: BaseException) -> None:
    """Why and how the run ended. Marts that were switched stay published, whatever came after."""
    if isinstance(error, KeyboardInterrupt):
        status, record.exit_code, record.reason = CANCELLED, interrupt_code(error), INTERRUPTED
    else:
        code = record.exit_code = getattr(error, "exit_code", BROKEN)
        status = REJECTED if code == BAD_DATA else "locked" if code == LOCKED else BROKE
        known = isinstance(error, EcluseError)
        record.reason = str(error) if known else f"{type(error).__name__}: {error}".rstrip(": ")
    record.status = PUBLISHED if record.published else status


def conclude(run: "Run", keep: Callable[[], None] = lambda: None) -> None:
    """Keep the end of a run, then tell of it, which changes nothing of how it ended.

    Args:
        run: it.
        keep: writes what else there is to be written to Postgres with the record.
    """
    run.record.finished_at = datetime.now(UTC)
    run.events.end()
    save_what_can_be(run, keep)
    if any([settle_after(run), write_after(run), write_metrics_after(run)]):
        save_file(run)
    give_back(run.session)
    if any([run.events.close(), deliver_after(run)]):
        save_file(run)


def save_what_can_be(run: "Run", keep: Callable[[], None] = lambda: None) -> None:
    """The last word on a run. Postgres may be what broke, so the file goes first."""
    import psycopg2

    record = run.record  # of what may have been stopped between its switch and saying so
    with suppress(psycopg2.Error), run.session.cursor() as cursor:
        record.published = record.published or published_by(cursor, record.run_id)
        record.status = PUBLISHED if record.published else record.status
    unwritten = save_file(run)
    try:
        ops.save_run(run.session, record)
        ops.save_details(run.session, record)
        keep()
    except psycopg2.Error as error:
        run.note(f"the record could not be written to Postgres: {str(error).splitlines()[0]}")
        unwritten = save_file(run)
    if unwritten and not record.exit_code:
        raise unwritten


def save_file(run: "Run") -> ConfigurationError | None:
    """Why the record's file cannot be written; that must not keep ops from knowing the end."""
    try:
        run.folder.save(run.record)
    except ConfigurationError as error:
        run.note(str(error))
        return error
    return None
