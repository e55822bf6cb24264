"""Commands about the past."""

import click

COMMANDS: tuple[click.Command, ...] = ()
