"""Change what readers see: publish what passed, or bring an earlier version back."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError, PublishBlocked
from orchestration.publication.switch import Manner, Switched, switch
from orchestration.publication.versions import (
    LIVE,
    NEXT,
    Switch,
    Version,
    all_versions,
    find,
    last_switch,
    marts_of,
    refresh,
)
from orchestration.records import PUBLISHED

if TYPE_CHECKING:
    from orchestration.run import Run


def publish_marts(run: "Run", built_by: str | None = None) -> str:
    """Switch the marts for readers to what this run, or the run `built_by`, has built and tested.

    Raises:
        PublishBlocked: a reader does not end, or a rollback holds its version.
        ConfigurationError: that run has left nothing to publish.
    """
    if run.idle:
        return "nothing to publish"
    with run.session.cursor() as cursor:
        refresh(cursor)
        last, versions = last_switch(cursor), all_versions(cursor)
        if last and last.run_id == run.record.run_id:  # switched before a passing fault
            version = find(versions, str(last.version))
            return _published(run, Switched(version, sorted(marts_of(cursor, version))))
        version = _ready(cursor, versions, built_by or run.record.run_id)
    if last and last.kind == "rollback":
        _undo_rollback(run, last, version, asked_for=bool(built_by))
    done = switch(run.session, version, run.record.run_id, "publication", _manner(run))
    return _published(run, done)


def roll_back(run: "Run", to: str, hold: bool) -> str:
    """Make a kept version the live one, without a rebuild.

    Raises:
        ConfigurationError: that version cannot be rolled back to.
        PublishBlocked: a reader does not end.
    """
    with run.session.cursor() as cursor:
        refresh(cursor)
        version = find(all_versions(cursor), to)
    if version.schema in {LIVE, NEXT}:
        hint = "it is live already" if version.schema == LIVE else "publish it instead"
        raise ConfigurationError(
            f"There is nothing to roll back to version {version.number}: {hint}."
        )
    done = switch(run.session, version, run.record.run_id, "rollback", _manner(run, hold))
    held = "; later runs do not publish over it" if hold else ""
    return _published(run, done) + held


def _ready(cursor: object, versions: list[Version], run_id: str) -> Version:
    """The tested version in the chamber, if that run has built it."""
    waiting = next((v for v in versions if v.schema == NEXT), None)
    if waiting and waiting.tested_at and (waiting.run_id or "").startswith(run_id):
        return waiting
    mine = next((v for v in versions if (v.run_id or "").startswith(run_id)), None)
    if mine and mine.published_at:
        why = f"it was published as version {mine.number} on {mine.published_at:%Y-%m-%d %H:%M} UTC"
    elif mine and mine is waiting:
        why = "its marts did not pass"
    elif waiting:
        why = f"it built none, or run {waiting.run_id} has built others in their place"
    else:
        why = "it built none, or a later build took their place"
    raise ConfigurationError(f"Run {run_id} has no marts that wait to be published: {why}.")


def _undo_rollback(run: "Run", last: Switch, version: Version, asked_for: bool) -> None:
    when = (
        f"run {last.run_id} rolled back to version {last.version} at {last.at:%Y-%m-%d %H:%M} UTC"
    )
    if last.held and not asked_for:
        raise PublishBlocked(
            f"The marts passed as version {version.number} but were not published: {when} and "
            f"holds it. Publish with `.venv/bin/ecluse publish {version.run_id}`."
        )
    run.note(f"this publication undoes a rollback: {when}, and readers had that version until now")


def _manner(run: "Run", hold: bool = False) -> Manner:
    settings = run.settings
    return Manner(
        settings.publish_timeout, settings.keep_versions, settings.outside_views, hold,
        settings.role("reader"), lambda said: run.console.say(f"{'':9}{said}"),
    )  # fmt: skip


def _published(run: "Run", done: Switched) -> str:
    version = done.version
    run.record.status = PUBLISHED
    run.record.published = {
        "version": version.number, "built_by": version.run_id, "tables": done.tables,
        "seconds": done.seconds, "waited": done.waited, "at": datetime.now(UTC),
    }  # fmt: skip
    for note in done.notes:
        run.note(note)
    by = "" if version.run_id == run.record.run_id else f", built by run {version.run_id}"
    return (
        f"{len(done.tables)} marts switched to version {version.number}{by} in {done.seconds:.2f} s"
    )
