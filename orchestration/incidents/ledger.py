"""The incidents in ops: what a run saw is held against what is open, in one transaction."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConfigurationError
from orchestration.incidents.causes import NOTE, SEVERITIES, Cause

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

OPEN, ACKNOWLEDGED, MUTED, RESOLVED = STATES = ("open", "acknowledged", "muted", "resolved")
OPENED, WORSENED, RECOVERED, UNMUTED = "opened", "worsened", "recovered", "unmuted"
FACTOR = 2  # so many times the size that was told last is worse
COLUMNS = (
    "id, key, kind, severity, state, title, owner, nodes, details, size, unit, runs_seen, "
    "told_severity, told_size, opened_at, opened_by, seen_at, seen_by, muted_until, resolved_at, "
    "resolved_by"
)
INSERT = """
insert into ops.incidents (key, kind, severity, state, title, owner, nodes, details, size, unit,
                           runs_seen, opened_at, opened_by, seen_at, seen_by)
values (%s, %s, %s, 'open', %s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s)
returning """
UPDATE = """
update ops.incidents set severity = %s, title = %s, owner = %s, nodes = %s, details = %s, size = %s,
    state = %s, runs_seen = runs_seen + 1, seen_at = %s, seen_by = %s
where id = %s returning """
TOLD = "update ops.incidents set told_severity = severity, told_size = size where id = %s"


@dataclass(frozen=True)
class Incident:
    """A row of ops.incidents."""

    id: int
    key: str
    kind: str
    severity: str
    state: str
    title: str
    owner: str | None
    nodes: list[str]
    details: dict[str, Any]
    size: float
    unit: str
    runs_seen: int
    told_severity: str | None
    told_size: float | None
    opened_at: datetime
    opened_by: str
    seen_at: datetime
    seen_by: str
    muted_until: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None


@dataclass(frozen=True)
class Change:
    """What has become of an incident. `before` is the size that was told last."""

    incident: Incident
    event: str
    before: float | None = None
    why: str = ""

    @property
    def is_news(self) -> bool:
        """Whether its owner hears of it: a note is not worth it, and the muted are muted."""
        incident = self.incident
        if incident.state == MUTED or (self.event == RECOVERED and not incident.told_severity):
            return False
        return (incident.told_severity or incident.severity) != NOTE or incident.severity != NOTE


def open_incidents(cursor: "cursor") -> dict[str, Incident]:
    """By key, all that are not resolved; locked until the transaction ends."""
    cursor.execute(
        f"select {COLUMNS} from ops.incidents where state <> 'resolved' order by id for update"  # noqa: S608
    )
    return {row[1]: Incident(*row) for row in cursor.fetchall()}


def find_incident(cursor: "cursor", number: int) -> Incident:
    """The incident of this number.

    Raises:
        ConfigurationError: there is none.
    """
    cursor.execute(f"select {COLUMNS} from ops.incidents where id = %s", (number,))  # noqa: S608
    row = cursor.fetchone()
    if row is None:
        raise ConfigurationError(
            f"There is no incident {number}: `.venv/bin/ecluse incidents list --all` has them."
        )
    return Incident(*row)


def settle(
    cursor: "cursor",
    run_id: str,
    at: datetime,
    causes: Iterable[Cause],
    over: Callable[[str, dict[str, Any]], str | None],
    owner: Callable[[Cause], str | None],
) -> list[Change]:
    """Open, keep, worsen and close incidents by what a run saw.

    Args:
        cursor: in a transaction of its own.
        run_id: the run that saw it.
        at: when.
        causes: what is wrong.
        over: says why the incident of a key is over, if the run can tell.
        owner: who owns what a cause strikes.
    """
    standing, seen = open_incidents(cursor), {cause.key: cause for cause in causes}
    changes = []
    for key, cause in seen.items():
        change = (
            _again(cursor, run_id, at, standing[key], cause, owner(cause))
            if key in standing
            else _opened(cursor, run_id, at, cause, owner(cause))
        )
        standing[key] = change.incident
        changes += [change] if change.event else []
    for key, incident in standing.items():
        if (key not in seen or seen[key].past) and (why := over(key, incident.details)):
            changes = [each for each in changes if each.incident.id != incident.id]
            changes.append(_recovered(cursor, run_id, at, incident, why))
    return changes


def note_event(
    cursor: "cursor", number: int, at: datetime, event: str, by: str, note: str = ""
) -> None:
    """Keep what became of an incident, with the size it has then."""
    cursor.execute(
        "insert into ops.incident_events (incident, at, event, by, note, size) "
        "select id, %s, %s, %s, nullif(%s, ''), size from ops.incidents where id = %s",
        (at, event, by, note, number),
    )


def is_worse(incident: Incident, cause: Cause) -> bool:
    """Whether a cause is worse than what was told of it last: more severe, or twice the size."""
    told = incident.told_severity or incident.severity
    size = incident.size if incident.told_size is None else incident.told_size
    graver = SEVERITIES.index(cause.severity) > SEVERITIES.index(told)
    return graver or (cause.size >= FACTOR * size and cause.size > size)


def _opened(cursor: "cursor", run_id: str, at: datetime, cause: Cause, owner: str | None) -> Change:
    values = (
        cause.key, cause.kind, cause.severity, cause.title, owner, list(cause.nodes),
        json.dumps(cause.details), cause.size, cause.unit, at, run_id, at, run_id,
    )  # fmt: skip
    cursor.execute(INSERT + COLUMNS, values)
    return _told(cursor, run_id, at, Change(Incident(*cursor.fetchone()), OPENED))  # type: ignore[misc]


def _again(
    cursor: "cursor", run_id: str, at: datetime, before: Incident, cause: Cause, owner: str | None
) -> Change:
    """The same cause again; the change has no event when there is nothing new."""
    ended = before.state == MUTED and before.muted_until and before.muted_until <= at
    event = UNMUTED if ended else WORSENED if is_worse(before, cause) else ""
    state = OPEN if ended else before.state
    values = (
        cause.severity, cause.title, owner, list(cause.nodes), json.dumps(cause.details),
        cause.size, state, at, run_id, before.id,
    )  # fmt: skip
    cursor.execute(UPDATE + COLUMNS, values)
    change = Change(Incident(*cursor.fetchone()), event, before.told_size)  # type: ignore[misc]
    return _told(cursor, run_id, at, change) if event else change


def _told(cursor: "cursor", run_id: str, at: datetime, change: Change) -> Change:
    note_event(cursor, change.incident.id, at, change.event, run_id)
    if not change.is_news:
        return change
    cursor.execute(TOLD, (change.incident.id,))
    now = change.incident
    return replace(change, incident=replace(now, told_severity=now.severity, told_size=now.size))


def _recovered(cursor: "cursor", run_id: str, at: datetime, incident: Incident, why: str) -> Change:
    cursor.execute(
        "update ops.incidents set state = 'resolved', resolved_at = %s, resolved_by = %s "
        "where id = %s",
        (at, run_id, incident.id),
    )
    note_event(cursor, incident.id, at, RECOVERED, run_id, why)
    return Change(incident, RECOVERED, why=why)
