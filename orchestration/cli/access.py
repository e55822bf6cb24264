"""The command about who may do what: grants."""

import json
from dataclasses import asdict
from functools import partial

import click

from orchestration.cli.options import json_option
from orchestration.settings import load_settings


@click.command()
@click.option("--sql", "as_sql", is_flag=True,
              help="Change nothing, print the statements for whoever may run them.")  # fmt: skip
@click.option("--loader", multiple=True, metavar="LOGIN", help="Let LOGIN load raw.")
@click.option("--transformer", multiple=True, metavar="LOGIN",
              help="Let LOGIN build and publish: the one that runs Écluse.")  # fmt: skip
@click.option("--reader", multiple=True, metavar="LOGIN", help="Let LOGIN read the marts.")
@click.option("--pii", multiple=True, metavar="LOGIN",
              help="Let LOGIN read the marts, personal data too.")  # fmt: skip
@json_option
def grants(as_sql: bool, as_json: bool, **logins: tuple[str, ...]) -> None:
    """Make the roles loader, transformer, reader and pii, and show who has them.

    Each has the rights that its work needs, and no other. LOGIN is one that exists already; the
    options may be given more than once. Safe to repeat: what somebody granted by hand stays.
    """
    from orchestration import roles

    settings = load_settings()
    if as_sql:
        click.echo(roles.statements(settings, logins), nl=False)
        return
    done = roles.grant(settings, logins, partial(click.echo, err=True))
    if as_json:
        click.echo(json.dumps(asdict(done), indent=1))
        return
    for role in done.roles.values():
        click.echo(f"{role.role:24} {role.may}")
        click.echo(f"{'':24} members: {', '.join(role.members) or 'none yet'}")
    for sentence in done.missing:
        click.echo(f"not given: {sentence}")


COMMANDS: tuple[click.Command, ...] = (grants,)
