"""What a check has found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["well", "warned", "failed"]
FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One check: what was seen and, where it is not well, what to do about it."""

    check: str
    state: State
    said: str
    mend: str | None = None


def well(check: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "well", said)


def warned(check: str, said: str, mend: str) -> Finding:
    """Runs work, and something will hurt one day or is missing for a part of the commands."""
    return Finding(check, "warned", said, mend)


def failed(check: str, said: str, mend: str) -> Finding:
    """No run can work."""
    return Finding(check, "failed", said, mend)
