"""Whether each source can be reached, from here and with the settings of now."""

import inspect
import os
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from orchestration.doctor.finding import Finding, failed, warned, well
from orchestration.settings import Settings

PATIENCE = 10.0  # seconds
APART = 60.0  # seconds; HTTP tells whole ones, and proxies keep answers
MEANT_WELL = 500  # an answer below it, a refusal too, comes from a server that works


def look(settings: Settings) -> Iterator[Finding]:
    """Check every source that is reached by HTTP; the bundled demo is started by the run itself."""
    from ingestion.registry import SOURCES

    for name in SOURCES:
        try:
            url = _address(name)
        except Exception as error:  # whatever breaks in a source's own module
            said = f"{name}: its module breaks: {type(error).__name__}: {error}"
            yield failed("sources", said, f"mend ingestion/sources/{name}/")
            continue
        if not url:
            demo = "no address, so nothing is asked" if settings.base_url else "the bundled demo"
            yield well("sources", f"{name}: {demo}")
        elif url.startswith(("http://", "https://")):
            yield from _reached(name, url)
        else:
            yield well("sources", f"{name}: {urlsplit(url).scheme or 'files'}, not tried here")


def _address(name: str) -> str | None:
    """Where the source is: the environment first, then what its function says."""
    from ingestion.registry import find_source

    given = os.environ.get(f"SOURCES__{name.upper()}__BASE_URL")
    parameter = inspect.signature(find_source(name)).parameters.get("base_url")
    own = parameter.default if parameter else None
    return given or (own if isinstance(own, str) and "://" in own else None)


def _reached(name: str, url: str) -> Iterator[Finding]:
    import requests

    shown = f"{name}: {_host(url)}"
    try:
        answer = requests.get(url, timeout=PATIENCE, stream=True)
    except requests.RequestException as error:
        # no words of others: they quote the URL, which may hold a password
        said = f"{shown} cannot be reached ({type(error).__name__})"
        mend = f"check SOURCES__{name.upper()}__BASE_URL, the network and its proxy"
        yield failed("sources", said, mend)
        return
    with answer:
        if answer.status_code >= MEANT_WELL:
            said = f"{shown} answers {answer.status_code}"
            yield warned("sources", said, "try later, or ask the API's owner")
        else:
            yield well("sources", f"{shown} answers ({answer.status_code})")
        if "Date" in answer.headers:
            yield from _clock(shown, answer.headers["Date"])


def _clock(shown: str, date: str) -> Iterator[Finding]:
    try:
        apart = abs(time.time() - parsedate_to_datetime(date).timestamp())
    except ValueError:
        return
    if apart > APART:
        said = f"this machine and {shown} are {apart:,.0f} s apart"
        yield warned("clock", said, "set this machine's by NTP, or tell the API's owner")


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
