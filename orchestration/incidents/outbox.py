"""Alerts wait in ops.alerts until their channel has taken them: a run never waits for one long."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.incidents.channels import TYPES, Message, Routes, channels_of, send, url_of
from orchestration.incidents.ledger import Change
from orchestration.incidents.messages import body, title
from orchestration.incidents.project import Owner, Project
from orchestration.ops import transaction
from orchestration.records import RunRecord

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

    from orchestration.publication.versions import Version

PATIENCE = 5.0  # seconds for all channels together, after everything else is done
IMPATIENCE = 1.0  # for a channel that failed the last time
WAITING = """
select id, recipient, title, body, event, attempts from ops.alerts
where sent_at is null and given_up_at is null order by id for update skip locked
"""
GIVE_UP = """
update ops.alerts set given_up_at = clock_timestamp()
where sent_at is null and given_up_at is null and queued_at < clock_timestamp() - interval '3 days'
"""
SENT = """
update ops.alerts set attempts = attempts + 1, problem = %s,
    sent_at = case when %s::text is null then clock_timestamp() end
where id = any(%s)
"""


@dataclass(frozen=True)
class Waiting:
    """An alert that was not sent yet."""

    id: int
    recipient: str
    title: str
    body: str
    event: str
    attempts: int


def queue(
    cursor: "cursor",
    changes: Iterable[Change],
    project: Project,
    record: RunRecord,
    live: "Version | None",
    routes: Routes,
) -> int:
    """Put an alert for each change that is news into the outbox, one a channel; how many."""
    rows = [
        (change.incident.id, channel, title(change), body(change, project, record, live),
         change.event)
        for change in changes if change.is_news
        for channel in channels_of(concerned(change, project), routes)
    ]  # fmt: skip
    cursor.executemany(
        "insert into ops.alerts (incident, recipient, title, body, event) "
        "values (%s, %s, %s, %s, %s)",
        rows,
    )
    return len(rows)


def concerned(change: Change, project: Project) -> list[Owner]:
    """The owner of what is wrong, and those of the exposures that are made of it."""
    nodes = [node for node in change.incident.nodes if project.knows(node)]
    exposures = dict.fromkeys(each for node in nodes for each in project.readers(node)
                              if each.startswith("exposure."))  # fmt: skip
    found = (owner for each in (*nodes[:1], *exposures) for owner in project.owners_of(each))
    return list(dict.fromkeys(found))


def deliver(session: "connection", routes: Routes, patience: float = PATIENCE) -> dict[str, Any]:
    """Send what waits; a channel gets one message of all that waits for it.

    Returns:
        By channel why it took nothing; None where it did.
    """
    with transaction(session) as cursor:
        cursor.execute(GIVE_UP)
        cursor.execute(WAITING)
        heaps: dict[str, list[Waiting]] = {}
        for row in cursor.fetchall():
            waiting = Waiting(*row)
            heaps.setdefault(waiting.recipient, []).append(waiting)
        problems = send({
            channel: (url_of(channel, routes), _one_message(heap),
                      IMPATIENCE if any(each.attempts for each in heap) else patience)
            for channel, heap in heaps.items()
        })  # fmt: skip
        for channel, problem in problems.items():
            cursor.execute(SENT, (problem, problem, [each.id for each in heaps[channel]]))
    return problems


def _one_message(heap: list[Waiting]) -> Message:
    if len(heap) == 1:
        return Message(heap[0].title, heap[0].body, TYPES[heap[0].event])
    kinds = {TYPES[each.event] for each in heap}
    worst = next(kind for kind in ("failure", "warning", "success") if kind in kinds)
    parts = [f"{each.title}\n{each.body}" for each in heap]
    return Message(f"{len(heap)} alerts: {heap[0].title} ...", "\n\n".join(parts), worst)
