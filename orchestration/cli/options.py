"""What several commands share: options, and the frame of a recorded run."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from orchestration import reports
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from orchestration.run import Run
    from orchestration.workflow import Step


class Day(click.ParamType):
    """A calendar day as 2026-01-31."""

    name = "DATE"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        """Read the day or say what it should look like."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-01-31", param, ctx)


class Listing(click.Group):
    """A group whose `list` need not be written."""

    usual = "list"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the usual command before what is not one of the commands."""
        first = args[0] if args else ""
        named = first in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else [self.usual, *args])


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
wait_option = click.option("--wait", is_flag=True, help="Wait for another run to end.")


def recorded(
    kind: str,
    wait: bool,
    as_json: bool,
    plan: "Callable[[Run], tuple[Step, ...]]",
    watch: bool = False,
) -> None:
    """Run the steps that `plan` makes, with a record of their own, and print the summary."""
    from orchestration.console import open_console
    from orchestration.opening import new_record
    from orchestration.records import to_json
    from orchestration.run import recorded_run
    from orchestration.workflow import execute

    settings = load_settings()
    console = open_console(quiet=as_json)
    record = new_record(settings, kind)
    patience = settings.lock_wait if wait else 0.0
    try:
        with ExitStack() as stack:
            if watch:
                from orchestration.live.server import watching

                click.echo(stack.enter_context(watching(settings)), err=True)
            stack.enter_context(console)
            frame = recorded_run(settings, kind, console, patience, record)
            run = stack.enter_context(frame)
            execute(plan(run), record, run.changed, run.try_again)
    finally:
        if as_json:
            click.echo(to_json(record))
        elif record.steps:  # a run that never began has its one sentence
            click.echo(reports.summary(record))
