"""Commands about when runs begin: schedule start, next, status."""

from collections.abc import Callable
from typing import Any

import click

from orchestration.cli.options import Listing, json_option
from orchestration.settings import load_settings


class Starting(Listing):
    """A group whose `start` need not be written."""

    usual = "start"


def _plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    zone = click.option("--zone", help="The time zone that it means, such as Europe/Berlin.")
    cron = click.option("--cron", multiple=True, metavar="EXPRESSION",
                        help="Minute, hour, day of month, month, weekday: '30 2 * * *'. May be "
                        "given several times.")  # fmt: skip
    return cron(zone(command))


@click.group(cls=Starting)
def schedule() -> None:
    """Start runs by the clock, when called, or when there is new data."""


@schedule.command()
@_plan_options
@click.option("--retries", type=click.IntRange(0, 20),
              help="How often a run that broke is tried again; bad data is not.")  # fmt: skip
@click.option("--listen", metavar="HOST:PORT",
              help="Take POST /run from callers who know ECLUSE_TRIGGER_SECRET.")  # fmt: skip
def start(cron: tuple[str, ...], zone: str | None, retries: int | None, listen: str | None) -> None:
    """Be the scheduler, until SIGTERM or Ctrl-C: the run at work ends first, unless a second signal
    interrupts it.
    """
    from orchestration.schedule.plan import load_plan
    from orchestration.schedule.service import serve

    settings = load_settings()
    serve(settings, load_plan(settings, cron, zone, retries), listen)


@schedule.command("next")
@click.argument("count", type=click.IntRange(1, 1000), default=5)
@_plan_options
@json_option
def upcoming(count: int, cron: tuple[str, ...], zone: str | None, as_json: bool) -> None:
    """The next COUNT slots (5), as UTC and as the clocks of the zone show them."""
    from orchestration.schedule.plan import load_plan
    from orchestration.schedule.shown import show_next

    show_next(load_plan(load_settings(), cron, zone), count, as_json)


@schedule.command()
@click.option("--last", type=click.IntRange(1), default=10, show_default=True,
              help="How many slots to show.")  # fmt: skip
@click.option("--check", is_flag=True, help="Exit code 1 when no scheduler is at work.")
@json_option
def status(last: int, check: bool, as_json: bool) -> None:
    """The last slots: when they were due, begun, by which run, and how it ended."""
    from orchestration.schedule.plan import load_plan
    from orchestration.schedule.shown import show_status

    settings = load_settings()
    show_status(settings, load_plan(settings), last, check, as_json)


COMMANDS = (schedule,)
