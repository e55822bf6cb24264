"""What can stop a run: one sentence each, and the exit code a script can rely on."""

import re
import signal
from collections.abc import Iterator

OK, BROKEN, USAGE, BAD_DATA, LOCKED = 0, 1, 2, 3, 4
# What Postgres quotes of the data: the row that broke a constraint, where nobody knows the end of a
# value, and what could not be read: invalid input syntax for type integer: "Smith".
DETAIL = re.compile(r"(Failing row contains |\)=)\(.*", re.DOTALL)
QUOTED = re.compile(r'(?<=: )"[^"]*"|(?<=value )"[^"]*"')


class EcluseError(Exception):
    """Something a person can act on. `str(error)` is the sentence they read."""

    exit_code = BROKEN


class ConfigurationError(EcluseError):
    """A setting, a path or an argument is wrong: nothing was started."""

    exit_code = USAGE


class WarehouseUnreachable(EcluseError):
    """Postgres does not answer, or refuses these credentials."""

    exit_code = USAGE


class WarehouseLost(WarehouseUnreachable):
    """Postgres went away while a run was at work."""

    exit_code = BROKEN


class WarehouseForbids(EcluseError):
    """The warehouse user lacks a right that a run needs."""

    exit_code = USAGE


class DiskFull(EcluseError):
    """There is no room for what a run has to write."""


class IngestionStopped(EcluseError):
    """A source could not be loaded; nothing of it is visible."""


class DataRejected(EcluseError):
    """The data broke a contract or a test: the old marts go on being served."""

    exit_code = BAD_DATA


class BuildBroke(EcluseError):
    """dbt itself failed, which is not the same as a failed test."""


class ReplayDiffers(EcluseError):
    """A version that was built anew is not the one that was published."""

    exit_code = BAD_DATA


class BreakingChange(EcluseError):
    """A column that readers have would be gone or of another type."""

    exit_code = BAD_DATA


class MovedOn(EcluseError):
    """Another version was published while a CI job compared with the one before."""

    exit_code = LOCKED


class GateClosed(EcluseError):
    """Something stands against merging a pull request; `exit_code` says whether it works at all."""

    exit_code = BAD_DATA


class PublishBlocked(EcluseError):
    """The marts passed, but could not be switched in the time allowed."""


def interrupt_code(error: BaseException | None) -> int:
    """What a shell reports for this interruption: 130 for Ctrl-C, 143 for SIGTERM.

    Our own handler puts the signal's number first; dlt's, which replaces ours while it loads, into
    `signal_code`; Python's own Ctrl-C says nothing.
    """
    first = next(iter(getattr(error, "args", ())), None)
    ours = first if isinstance(first, int) else signal.SIGINT
    return 128 + int(getattr(error, "signal_code", ours))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def find_interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C inside an error that something else has wrapped around it, as dlt does."""
    return next((each for each in chain(error) if isinstance(each, KeyboardInterrupt)), None)


class RunLocked(EcluseError):
    """Another run holds this warehouse."""

    exit_code = LOCKED


def without_values(text: str) -> str:
    """A message of Postgres without the values of the row that it is about."""
    return QUOTED.sub('"***"', DETAIL.sub(r"\1(***)", text))
