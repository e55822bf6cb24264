"""`ecluse alerts test`: a message through every channel, and what each said."""

import click

from orchestration.errors import ConfigurationError, EcluseError
from orchestration.incidents.channels import (
    DEFAULT,
    MAIL,
    Message,
    channels_of,
    send,
    url_of,
)
from orchestration.incidents.project import Owner, newest_project
from orchestration.settings import Settings

PATIENCE = 20.0  # seconds: somebody looks on


class ChannelsFailed(EcluseError):
    """A channel took nothing."""


def try_channels(settings: Settings, name: str | None) -> None:
    """Send a test message to all channels, or to those of an owner, and print who took it.

    Raises:
        ConfigurationError: there are no channels, or apprise does not understand a URL.
        ChannelsFailed: a channel did not take it.
    """
    channels = _channels(settings, name)
    if not channels:
        raise ConfigurationError(
            f"No channel is configured: put apprise URLs into {DEFAULT}, as docs/incidents.md says."
        )
    message = Message("[test] Écluse", "A test: alerts about incidents will come this way.")
    routes = settings.alerts
    report(send({each: (url_of(each, routes), message, PATIENCE) for each in channels}))


def report(problems: dict[str, str | None]) -> None:
    """Print what each channel did.

    Raises:
        ChannelsFailed: one took nothing.
        ConfigurationError: apprise does not understand a URL.
    """
    for channel, problem in sorted(problems.items()):
        click.echo(f"{channel}: {f'FAILED: {problem}' if problem else 'sent'}")
    bad = sorted(channel for channel, problem in problems.items() if problem)
    if not bad:
        return
    where = ", ".join(bad)
    if any("its URL" in (problems[each] or "") for each in bad):
        raise ConfigurationError(f"{where}: write it as apprise wants it, see docs/incidents.md.")
    raise ChannelsFailed(f"{where}: see that it can be reached from here and lets us in.")


def _channels(settings: Settings, name: str | None) -> list[str]:
    routes = settings.alerts
    project = newest_project(settings)
    if name:
        owner = next((each for each in project.owners() if name in {each.name, each.title}), None)
        return channels_of([owner or Owner(name)], routes)
    fixed = [f"{key}#{n}" for key, urls in routes.items() if key != MAIL
             for n in range(1, len(urls) + 1)]  # fmt: skip
    mailed = [each for each in channels_of(project.owners(), routes) if "@" in each]
    return list(dict.fromkeys([*fixed, *mailed]))
