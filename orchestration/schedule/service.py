"""The scheduler as a process: its signals, its port, its sensors."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType

import click

from orchestration.errors import ConfigurationError
from orchestration.schedule.child import RunProcess
from orchestration.schedule.loop import Clock, Scheduler
from orchestration.schedule.plan import EXAMPLE, Plan
from orchestration.schedule.sensors import watch
from orchestration.schedule.webhook import TriggerServer, parse_address
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

NO_PLAN = f"""\
Nothing would ever start a run. Put a schedule into pyproject.toml,

{EXAMPLE}

or give it as ECLUSE_SCHEDULE or --cron; or a sensor, or --listen. docs/schedule.md has more."""


def say(text: str) -> None:
    """A line for the journal, at once."""
    click.echo(f"schedule {text}")


def serve(settings: Settings, plan: Plan, listen: str | None) -> None:
    """Be the scheduler until a signal ends it.

    Raises:
        EcluseError: there is nothing to do, or no doing it.
    """
    if not (plan.schedule or plan.sensors or listen):
        raise ConfigurationError(NO_PLAN)
    clock = Clock()
    connect = partial(open_warehouse, settings, say)
    scheduler = Scheduler(plan, connect, partial(RunProcess, settings), clock, say)
    with ExitStack() as stack:
        if listen:
            server = TriggerServer(
                parse_address(listen), settings.trigger_secret, connect, clock.bell.set,
                scheduler.is_well,
            )  # fmt: skip
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            say(f"listening on {server.place}")
        stack.enter_context(_signals(scheduler))
        if plan.schedule:
            coming = next(plan.schedule.after(clock.now()))
            say(f"{plan.schedule}: next {plan.schedule.local(coming)}")
        eyes = watch(plan.sensors, connect, scheduler.is_well, clock.bell.set, say)
        stack.callback(eyes.set)
        for sensor in plan.sensors:
            say(f"sensor {sensor.name}: each {sensor.every.total_seconds():.0f} s")
        scheduler.work()
    say("ended")


@contextmanager
def _signals(scheduler: Scheduler) -> Iterator[None]:
    """SIGTERM and Ctrl-C are counted; the scheduler looks at the count."""

    def count(signum: int, frame: FrameType | None) -> None:
        scheduler.signals += 1

    before = {each: signal.signal(each, count) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
