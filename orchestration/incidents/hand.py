"""What people do with incidents: look, acknowledge, mute, resolve."""

import getpass
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration import ops
from orchestration.errors import ConfigurationError
from orchestration.incidents.ledger import (
    ACKNOWLEDGED,
    COLUMNS,
    MUTED,
    RESOLVED,
    Incident,
    find_incident,
    note_event,
)
from orchestration.incidents.project import newest_project
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import cursor

SET = """
update ops.incidents set state = %(state)s, muted_until = %(until)s,
    resolved_at = case when %(state)s = 'resolved' then %(at)s end,
    resolved_by = case when %(state)s = 'resolved' then %(by)s end
where id = %(id)s
"""
EVENTS = """
select at, event, by, note, size from ops.incident_events where incident = %s order by at, event
"""
TESTS = ("test.", "unit_test.")
ALERTS = """
select recipient, event, queued_at, sent_at, attempts, problem, given_up_at
from ops.alerts where incident = %s order by id
"""


@contextmanager
def opened(settings: Settings) -> "Iterator[cursor]":
    """A transaction on the tables of ops, which are made if they are missing."""
    with open_warehouse(settings).session() as session:
        ops.create_tables(session)
        with ops.transaction(session) as cursor:
            yield cursor


def incidents(cursor: "cursor", resolved: bool = False) -> list[Incident]:
    """Those that are not resolved, or all; the gravest and newest first."""
    cursor.execute(
        f"select {COLUMNS} from ops.incidents where %s or state <> 'resolved' "  # noqa: S608
        "order by state = 'resolved', array_position('{error,warn,note}', severity), id desc",
        (resolved,),
    )
    return [Incident(*row) for row in cursor.fetchall()]


def history(cursor: "cursor", number: int) -> dict[str, list[dict[str, Any]]]:
    """What became of an incident, and who was told of it."""
    found = {}
    for name, query in {"events": EVENTS, "alerts": ALERTS}.items():
        cursor.execute(query, (number,))
        found[name] = ops.rows_of(cursor)
    return found


def facts(settings: Settings, incident: Incident) -> dict[str, str]:
    """The lines of one incident: what it is called, and what is known of it."""
    project = newest_project(settings)
    nodes = [node for node in incident.nodes if project.knows(node)]
    readers = dict.fromkeys(each for node in nodes for each in project.readers(node))
    until = f" until {incident.muted_until:%Y-%m-%d %H:%M} UTC" if incident.state == MUTED else ""
    found = {
        "": f"incident {incident.id}: {incident.title}",
        "state": f"{incident.state}{until}, {incident.severity}",
        "since": f"{incident.opened_at:%Y-%m-%d %H:%M} UTC, run {incident.opened_by}",
        "seen": f"by {incident.runs_seen} runs, last {incident.seen_at:%Y-%m-%d %H:%M} UTC",
        "size": f"{incident.size:,.0f} {incident.unit}" if incident.unit else "",
        "owner": incident.owner or "",
        "strikes": ", ".join(project.label(n) for n in nodes if not n.startswith(TESTS)),
        "downstream": ", ".join(project.label(each) for each in readers),
        "closer": closer(incident),
    }
    return {name: text for name, text in found.items() if text}


def closer(incident: Incident) -> str:
    """The command that shows what is behind an incident."""
    details, what = incident.details, incident.key.partition(":")[2]
    return (
        ".venv/bin/ecluse "
        + {
            "test": f"quarantine show {details.get('test', '')}",
            "rejected": f"quarantine show {what}",
            "drift": f"drift list {next(iter(details.get('tables', {what: 0})))}",
            "freshness": "status",
            "run": f"runs show {incident.seen_by}",
        }[incident.kind]
    )


def acknowledge(settings: Settings, number: int, note: str = "") -> Incident:
    """Say that somebody is at it.

    Raises:
        ConfigurationError: there is no such incident, or it is over.
    """
    return _set(settings, number, ACKNOWLEDGED, "acknowledged", note)


def mute(settings: Settings, number: int, until: datetime, note: str = "") -> Incident:
    """Send no alert about it until then.

    Raises:
        ConfigurationError: there is no such incident, it is over, or `until` is past.
    """
    if until <= datetime.now(UTC):
        raise ConfigurationError(f"{until:%Y-%m-%d %H:%M} UTC is past: give a moment to come.")
    said = f"until {until:%Y-%m-%d %H:%M} UTC" + (f": {note}" if note else "")
    return _set(settings, number, MUTED, "muted", said, until)


def resolve(settings: Settings, number: int, note: str = "") -> Incident:
    """Close it by hand; a run that sees its cause again opens a new one.

    Raises:
        ConfigurationError: there is no such incident, or it is over.
    """
    return _set(settings, number, RESOLVED, "resolved", note)


def _set(
    settings: Settings, number: int, state: str, event: str, note: str,
    until: datetime | None = None,
) -> Incident:  # fmt: skip
    with opened(settings) as cursor:
        before = find_incident(cursor, number)
        if before.state == RESOLVED:
            raise ConfigurationError(
                f"Incident {number} is over since {before.resolved_at:%Y-%m-%d %H:%M} UTC."
            )
        at, by = datetime.now(UTC), f"{getpass.getuser()} by hand"
        cursor.execute(SET, {"state": state, "until": until, "at": at, "by": by, "id": number})
        note_event(cursor, number, at, event, by, note)
        return find_incident(cursor, number)
