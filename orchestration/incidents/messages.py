"""What an alert says: what broke, since when, how many rows, whom it strikes, what is served."""

from collections.abc import Iterator
from datetime import datetime

from orchestration.incidents.ledger import OPENED, RECOVERED, UNMUTED, WORSENED, Change
from orchestration.incidents.project import Project
from orchestration.publication.versions import Version
from orchestration.records import RunRecord

HEADS = {
    OPENED: "opened", WORSENED: "worse", RECOVERED: "recovered", UNMUTED: "still there",
}  # fmt: skip
LISTED = 8  # marts and exposures that are named; all are on the page of the incident


def title(change: Change) -> str:
    """One line, as a subject."""
    incident = change.incident
    head = HEADS[change.event]
    grave = f" {incident.severity}" if change.event != RECOVERED else ""
    return f"[{head}{grave}] {incident.title}"


def body(change: Change, project: Project, record: RunRecord, live: Version | None) -> str:
    """The lines below it; no value of a row is among them."""
    incident = change.incident
    lines = [incident.title[0].upper() + incident.title[1:] + "."]
    lines += [f"Over: {change.why}, said run {record.run_id}."] if change.why else []
    lines.append(f"Since: {_minute(incident.opened_at)}, run {incident.opened_by}"
                 f"{_seen(incident.runs_seen)}.")  # fmt: skip
    if incident.unit == "rows":
        before = (
            f" (was {change.before:,.0f})" if change.before not in {None, incident.size} else ""
        )
        lines.append(f"Rows: {incident.size:,.0f}{before}.")
    lines += list(_struck(change, project))
    lines.append(f"Readers: {_served(record, live)}.")
    if incident.owner:
        lines.append(f"Owner: {incident.owner}.")
    lines.append(f"Look closer: .venv/bin/ecluse incidents show {incident.id}")
    return "\n".join(lines)


def _struck(change: Change, project: Project) -> Iterator[str]:
    """What is made of it; a run that broke holds up everything."""
    nodes = [node for node in change.incident.nodes if project.knows(node)]
    found = dict.fromkeys(each for node in nodes for each in project.readers(node))
    labels = [project.label(each) for each in found]
    if labels and change.event != RECOVERED:
        more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
        yield f"Downstream: {', '.join(labels[:LISTED])}{more}."


def _served(record: RunRecord, live: Version | None) -> str:
    if live is None:
        return "nothing was published yet"
    since = f" of {_minute(live.published_at)}" if live.published_at else ""
    if record.published:
        return f"they have version {live.number}, which run {record.run_id} has published"
    return f"nothing was published; they keep the last good version, {live.number}{since}"


def _seen(runs: int) -> str:
    return f", seen by {runs} runs" if runs > 1 else ""


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
