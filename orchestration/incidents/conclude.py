"""The last word of a run about incidents: what it saw is settled, and the owners hear of it.

Nothing here may change how the run ended: an error becomes a note in its record.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestration.errors import BAD_DATA, USAGE
from orchestration.incidents import causes, ledger, outbox, scorecard, unreachable
from orchestration.incidents.drifts import drifts
from orchestration.incidents.project import Project, newest_project
from orchestration.ops import transaction
from orchestration.publication.versions import LIVE, standing_in
from orchestration.records import CANCELLED, RunRecord

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.run import Run

SAID = {ledger.OPENED: "opened", ledger.WORSENED: "is worse", ledger.UNMUTED: "is muted no more",
        ledger.RECOVERED: "is over"}  # fmt: skip


def settle_after(run: "Run") -> bool:
    """Open, worsen and close incidents by what the run saw; whether the record has new notes.

    Whoever pressed Ctrl-C knows; a run that was terminated, nobody may know of.
    """
    record = run.record
    if record.kind not in causes.KINDS or _was_left(record):
        return False
    before = len(record.notes)
    try:
        with transaction(run.session) as cursor:
            record.notes += _settle(cursor, run)
        unreachable.forget(run.settings)
    except Exception as error:
        run.note(f"the incidents could not be kept: {_said(error)}")
    return len(record.notes) > before


def deliver_after(run: "Run") -> bool:
    """Send the alerts that wait, over a session of its own: the lock is free by now.

    Returns:
        Whether the record has new notes: channels that took nothing.
    """
    if run.record.kind not in causes.KINDS or run.record.status == CANCELLED:
        return False
    before = len(run.record.notes)
    try:
        with run.warehouse.session() as session:
            problems = outbox.deliver(session, run.settings.alerts)
        for channel, problem in sorted(problems.items()):
            if problem:
                run.note(f"alerts for {channel} wait: {problem}")
    except Exception as error:
        run.note(f"alerts could not be sent: {_said(error)}")
    return len(run.record.notes) > before


def found(record: RunRecord, project: Project, open_keys: Iterable[str]) -> list[causes.Cause]:
    """All that the run saw that is wrong."""
    seen = [
        *causes.broken(record, project),
        *causes.rejected(record, project),
        *causes.freshness(record, project),
        *causes.tests(record, project),
        *drifts(record, project, open_keys),
    ]
    if record.exit_code == BAD_DATA and not any(each.severity == causes.ERROR for each in seen):
        seen.append(causes.refused(record))
    if record.exit_code == USAGE and record.kind not in causes.LOADING:
        return []  # a person has mistyped
    return seen


def _settle(cursor: "cursor", run: "Run") -> list[str]:
    record, project = run.record, newest_project(run.settings, run.folder.path / "dbt")
    seen = found(record, project, ledger.open_incidents(cursor))
    lost = unreachable.cause(run.settings)
    changes = ledger.settle(
        cursor, record.run_id, record.started_at, [*seen, *([lost] if lost else [])],
        causes.Looked(record, project).over,
        lambda cause: ", ".join(map(str, project.owners_of(next(iter(cause.nodes), "")))) or None,
    )  # fmt: skip
    told = [
        each for each in changes
        if not (each.incident.key == causes.WAREHOUSE and each.event == ledger.OPENED)
    ]  # fmt: skip
    outbox.queue(cursor, told, project, record, standing_in(cursor, LIVE), run.settings.alerts)
    scorecard.save_scores(cursor, record, project)
    return [
        f"incident {each.incident.id} {SAID[each.event]}: {each.why or each.incident.title}"
        for each in changes
    ]


def _was_left(record: RunRecord) -> bool:
    return record.status == CANCELLED and record.exit_code != causes.TERMINATED


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {causes.briefly(str(error))}".rstrip(": ")
