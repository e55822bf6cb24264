"""Commands about what is wrong: incidents, alerts, quality."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from orchestration.cli.options import Listing, json_option
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from orchestration.incidents.ledger import Incident

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType):
    """A moment to come: 2026-01-31, 2026-01-31T08:00 (UTC if no zone is given), 12h, 3d, 2w."""

    name = "WHEN"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read the moment or say what it should look like."""
        if span := re.fullmatch(r"(\d{1,4})([hdw])", value):
            return datetime.now(UTC) + timedelta(**{UNITS[span[2]]: int(span[1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r}: write 2026-01-31, 2026-01-31T08:00, 12h, 3d or 2w", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


number = click.argument("number", type=int)
note = click.option("--note", default="", help="A sentence for those who look at it later.")


@click.group(cls=Listing)
def incidents() -> None:
    """What is wrong with data or runs: one incident a cause, until it is over."""


@incidents.command("list")
@click.option("--all", "resolved", is_flag=True, help="Those that are over, too.")
@json_option
def listed(resolved: bool, as_json: bool) -> None:
    """The incidents that are not over."""
    from orchestration.incidents import hand

    with hand.opened(load_settings()) as cursor:
        found = hand.incidents(cursor, resolved)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=str, indent=1))
        return
    if not found:
        click.echo("No incident." if resolved else "No incident is open.")
    for each in found:
        click.echo(f"{each.id:>4}  {each.severity:5} {_state(each):20} "
                   f"since {each.opened_at:%Y-%m-%d %H:%M}  {each.title}"
                   f"{f' ({each.owner})' if each.owner else ''}")  # fmt: skip


@incidents.command()
@number
@json_option
def show(number: int, as_json: bool) -> None:
    """All that is known of incident NUMBER: what it strikes, what became of it, who was told."""
    from orchestration.incidents import hand
    from orchestration.incidents.ledger import find_incident

    settings = load_settings()
    with hand.opened(settings) as cursor:
        found, past = find_incident(cursor, number), hand.history(cursor, number)
    if as_json:
        click.echo(json.dumps(asdict(found) | past, default=str, indent=1))
        return
    for name, text in hand.facts(settings, found).items():
        click.echo(f"  {name:10} {text}" if name else text)
    for event in past["events"]:
        said = f": {event['note']}" if event["note"] else ""
        click.echo(f"  {event['at']:%Y-%m-%d %H:%M}  {event['event']} ({event['by']}){said}")
    for alert in past["alerts"]:
        click.echo(f"  alert      {alert['event']} to {alert['recipient']}: {_fate(alert)}")


@incidents.command()
@number
@note
def ack(number: int, note: str) -> None:
    """Say that you are at incident NUMBER; alerts go on where it gets worse or is over."""
    from orchestration.incidents import hand

    _done(hand.acknowledge(load_settings(), number, note))


@incidents.command()
@number
@click.option("--until", type=Moment(), required=True,
              help="2026-01-31, 2026-01-31T08:00, 12h, 3d or 2w.")  # fmt: skip
@note
def mute(number: int, until: datetime, note: str) -> None:
    """Send no alert about incident NUMBER until then."""
    from orchestration.incidents import hand

    _done(hand.mute(load_settings(), number, until, note))


@incidents.command()
@number
@note
def resolve(number: int, note: str) -> None:
    """Close incident NUMBER by hand; a run that sees its cause again opens a new one."""
    from orchestration.incidents import hand

    _done(hand.resolve(load_settings(), number, note))


@click.group()
def alerts() -> None:
    """The channels that hear of incidents."""


@alerts.command()
@click.option("--owner", help="Only the channels of this owner.")
def test(owner: str | None) -> None:
    """Send a test message through every channel and say which took it."""
    from orchestration.incidents.trial import try_channels

    try_channels(load_settings(), owner)


@alerts.command()
def send() -> None:
    """Send now what waits for its channel; each run does so at its end."""
    from orchestration import ops
    from orchestration.incidents import outbox
    from orchestration.incidents.trial import report
    from orchestration.warehouse import open_warehouse

    settings = load_settings()
    with open_warehouse(settings).session() as session:
        ops.create_tables(session)
        problems = outbox.deliver(session, settings.alerts)
    if not problems:
        click.echo("Nothing waits.")
    report(problems)


@click.command()
@click.argument("mart", required=False)
@json_option
def quality(mart: str | None, as_json: bool) -> None:
    """The scorecard of each mart (or of MART): owner, freshness, tests, incidents, score."""
    from orchestration.incidents.quality import print_quality

    print_quality(load_settings(), mart, as_json)


def _state(incident: "Incident") -> str:
    if incident.state == "muted":
        return f"muted to {incident.muted_until:%m-%d %H:%M}"
    ended = f" {incident.resolved_at:%m-%d %H:%M}" if incident.resolved_at else ""
    return incident.state + ended


def _fate(alert: dict[str, Any]) -> str:
    if alert["sent_at"]:
        return f"sent {alert['sent_at']:%Y-%m-%d %H:%M}"
    waits = "given up" if alert["given_up_at"] else "waits"
    tried = f" after {alert['attempts']} attempts" if alert["attempts"] else ""
    why = f": {alert['problem']}" if alert["problem"] else ""
    return waits + tried + why


def _done(incident: "Incident") -> None:
    click.echo(f"Incident {incident.id} is {_state(incident)}: {incident.title}")


COMMANDS: tuple[click.Command, ...] = (incidents, alerts, quality)
