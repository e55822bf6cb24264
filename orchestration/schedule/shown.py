"""What people see of the schedule: the next slots, the last ones, who is at work."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import click

from orchestration import ops
from orchestration.errors import ConfigurationError, EcluseError
from orchestration.ops import rows_of
from orchestration.schedule import slots
from orchestration.schedule.loop import NAME
from orchestration.schedule.plan import Plan
from orchestration.schedule.service import NO_PLAN
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

SCHEDULERS = """
select substr(application_name, %(begin)s) as scheduler, backend_start as since,
       extract(epoch from clock_timestamp() - state_change)::float8 as silent_for
from pg_stat_activity
where datname = current_database() and starts_with(application_name, %(name)s)
order by backend_start
"""
TRIGGERS = "select name, at, problem from ops.triggers where name <> 'schedule' order by name"
SILENT = 180  # seconds; a scheduler that waits asks Postgres something every second


class NobodyAtWork(EcluseError):
    """No scheduler answers for this warehouse."""


def show_next(plan: Plan, count: int, as_json: bool) -> None:
    """Print the next slots; the warehouse is not asked.

    Raises:
        ConfigurationError: there is no schedule.
    """
    if plan.schedule is None:
        raise ConfigurationError(NO_PLAN)
    now = datetime.now(UTC)
    found = list(islice(plan.schedule.after(now), count))
    if as_json:
        rows = [{"utc": slot, "local": plan.schedule.local(slot)} for slot in found]
        click.echo(json.dumps(rows, default=str, indent=1))
        return
    click.echo(f"{plan.schedule}")
    for slot in found:
        wait = timedelta(seconds=round((slot - now).total_seconds()))
        click.echo(f"  {slot:%Y-%m-%d %H:%M} UTC  {plan.schedule.local(slot)}  in {wait}")


def show_status(settings: Settings, plan: Plan, last: int, check: bool, as_json: bool) -> None:
    """Print the last slots and who is at work.

    Raises:
        NobodyAtWork: with `check`, when no scheduler has asked Postgres anything of late.
    """
    with open_warehouse(settings).session() as session, session.cursor() as cursor:
        ops.create_tables(session)
        cursor.execute(SCHEDULERS, {"name": NAME, "begin": len(NAME) + 1})
        found: dict[str, Any] = {"schedulers": rows_of(cursor)}
        cursor.execute(TRIGGERS)
        found |= {"sensors": rows_of(cursor), "slots": slots.listed(cursor, last)}
    coming = next(plan.schedule.after(datetime.now(UTC))) if plan.schedule else None
    if as_json:
        click.echo(json.dumps(found | {"next": coming}, default=str, indent=1))
    else:
        _print(found, plan, coming)
    # another login's doings are hidden from one without pg_read_all_stats
    alive = [each for each in found["schedulers"] if (each["silent_for"] or 0) < SILENT]
    if check and not alive:
        raise NobodyAtWork("No scheduler is at work on this warehouse: start `ecluse schedule`.")


def _print(found: dict[str, Any], plan: Plan, coming: datetime | None) -> None:
    for each in found["schedulers"]:
        since = f" since {each['since']:%Y-%m-%d %H:%M}" if each["since"] else ""
        click.echo(f"at work    {each['scheduler']}{since}")
    if not found["schedulers"]:
        click.echo("at work    no scheduler")
    if plan.schedule and coming:
        click.echo(f"next       {plan.schedule.local(coming)} ({plan.schedule})")
    for each in found["sensors"]:
        seen = f"cannot see: {each['problem']}" if each["problem"] else "sees"
        click.echo(f"{each['name']:10} {seen}, {each['at']:%Y-%m-%d %H:%M} UTC")
    if found["slots"]:
        click.echo(f"\n{'due':26} {'cause':16} {'begun (UTC)':12} {'run':23} outcome")
    for each in found["slots"]:
        click.echo(_line(each))


def _line(slot: dict[str, Any]) -> str:
    begun = f"{slot['begun_at']:%m-%d %H:%M}" if slot["begun_at"] else "-"
    run = slot["run_ids"][-1] if slot["run_ids"] else "-"
    code = f", exit code {slot['exit_code']}" if slot["exit_code"] else ""
    tried = f" after {slot['attempts']} attempts" if slot["attempts"] > 1 else ""
    again = slot["status"] == slots.WAITING and slot["attempts"]
    said = f"broke, again at {slot['not_before']:%H:%M:%S} UTC" if again else slot["status"]
    note = f" ({slot['note']})" if slot["note"] else ""
    due = f"{slot['local_time']:26} {slot['cause']:16}"
    return f"{due} {begun:12} {run:23} {said}{code}{tried}{note}"
