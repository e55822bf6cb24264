"""The channels that alerts go to: names for the record, apprise URLs for the wire.

A channel's name is that of its variable and its place in it, `ECLUSE_ALERTS_SALES#1`, or the
owner's e-mail address: what is recorded, logged or shown of a channel never holds its URL.
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from orchestration.incidents.ledger import OPENED, RECOVERED, UNMUTED, WORSENED
from orchestration.incidents.project import Owner

DEFAULT, MAIL = "ECLUSE_ALERTS", "ECLUSE_ALERTS_MAIL"
TYPES = {OPENED: "failure", WORSENED: "failure", UNMUTED: "warning", RECOVERED: "success"}
Routes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Message:
    """What a channel is to take. `type` is apprise's: failure, warning, success, info."""

    title: str
    body: str
    type: str = "info"


def variable(owner: str) -> str:
    """The variable that names the channels of an owner: ECLUSE_ALERTS_DATA_PLATFORM."""
    return f"{DEFAULT}_{re.sub(r'[^A-Z0-9]+', '_', owner.upper()).strip('_')}"


def channels_of(owners: Iterable[Owner], routes: Routes) -> list[str]:
    """The names of the channels that reach these owners; each URL once.

    An owner's own channels, else their e-mail where ECLUSE_ALERTS_MAIL says how to send one, else
    those of ECLUSE_ALERTS. Without an owner, the latter.
    """
    names = [name for owner in owners for name in _reach(owner, routes)]
    names = names or _all_of(DEFAULT, routes)
    once = {url_of(name, routes): name for name in reversed(names)}
    return sorted(once.values(), key=names.index)


def url_of(channel: str, routes: Routes) -> str | None:
    """The URL of a channel; None where the configuration has it no more."""
    name, _, place = channel.partition("#")
    if "@" in name:
        base = routes.get(MAIL, ())
        glue = "&" if base and "?" in base[0] else "?"
        return f"{base[0]}{glue}to={quote(name)}" if base else None
    urls = routes.get(name, ())
    return urls[int(place) - 1] if place.isdecimal() and 0 < int(place) <= len(urls) else None


def _reach(owner: Owner, routes: Routes) -> list[str]:
    for name in filter(None, (owner.name, owner.title)):
        if found := variable(name) != MAIL and _all_of(variable(name), routes):
            return found
    if owner.email and MAIL in routes:
        return [owner.email]
    return _all_of(DEFAULT, routes)


def _all_of(name: str, routes: Routes) -> list[str]:
    return [f"{name}#{place}" for place in range(1, len(routes.get(name, ())) + 1)]


def send(messages: Mapping[str, tuple[str | None, Message, float]]) -> dict[str, str | None]:
    """Give each channel its message, all at once; what has not answered in its time has failed.

    Args:
        messages: by channel: its URL, the message, and the seconds it is given.

    Returns:
        By channel why it did not take its message; None if it did.
    """
    problems: dict[str, str | None] = {}
    began = time.monotonic()
    threads = {}
    for channel, (url, message, _) in messages.items():
        # daemons: the interpreter does not wait for a channel that hangs
        args = (channel, url, message, problems)
        threads[channel] = threading.Thread(target=_send, args=args, daemon=True)
        threads[channel].start()
    for channel, thread in threads.items():
        seconds = messages[channel][2]
        thread.join(max(0.0, began + seconds - time.monotonic()))
    return {
        channel: dict(problems).get(channel, f"no answer in {seconds:.0f} s")
        for channel, (_, _, seconds) in messages.items()
    }


def _send(channel: str, url: str | None, message: Message, problems: dict[str, Any]) -> None:
    try:
        problems[channel] = _problem(url, message)
    except Exception as error:  # a plugin of apprise may raise anything, with its URL in the text
        problems[channel] = type(error).__name__


def _problem(url: str | None, message: Message) -> str | None:
    import apprise

    if url is None:
        return "it is no longer in the configuration"
    logger = logging.getLogger("apprise")  # which quotes URLs
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    target = apprise.Apprise()
    with contextlib.redirect_stderr(None):
        if not target.add(url):
            return "apprise does not understand its URL"
    taken = target.notify(
        message.body, message.title, apprise.NotifyType(message.type),
        body_format=apprise.NotifyFormat.TEXT,
    )  # fmt: skip
    return None if taken else "it refused, or could not be reached"
