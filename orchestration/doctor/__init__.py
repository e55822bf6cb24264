"""Is this setup fit for runs? Each check is a finding; one that is not well says how to mend it.

Nothing is changed: the embedded server is started, as any command would, and that is all.
"""

from collections.abc import Iterator

from orchestration.doctor import leftovers, machine, server, sources
from orchestration.doctor.finding import FAILED, Finding, failed, well
from orchestration.errors import EcluseError
from orchestration.settings import load_settings

__all__ = ["FAILED", "Finding", "examine"]


def examine() -> Iterator[Finding]:
    """Every check, as it is made; what a check needs and did not find ends those that follow it."""
    try:
        settings = load_settings()
    except EcluseError as error:
        yield failed("settings", str(error), "change the variable, or unset it")
        return
    yield well("settings", "every variable can be read")
    yield from machine.look(settings)
    session = yield from server.look(settings)
    if session:
        with session as opened:
            yield from leftovers.look(settings, opened)
    yield from sources.look(settings)
