"""Python values as source code, laid out as ruff lays it out: it need not be there to format."""

import json
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100
STEP = "    "


@dataclass(frozen=True)
class Name:
    """A name that stands for something, such as a constant."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call; arguments by name stand one below the other where all of it is long."""

    function: str
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    long: bool = False  # never on one line


def code(value: Any, indent: int = 0, used: int = 0) -> str:
    """The value as source code; `used` are the characters that stand before and after it.

    On one line where it fits, else an element a line.
    """
    flat = _flat(value)
    long = isinstance(value, Call) and value.long
    if not _parts(value) or (not long and len(flat) + used + indent * len(STEP) <= WIDTH):
        return flat
    opening, closing = _brackets(value)
    inner = STEP * (indent + 1)
    lines = [f"{inner}{label}{code(part, indent + 1, len(label) + 1)},"
             for label, part in _parts(value)]  # fmt: skip
    return "\n".join([opening, *lines, STEP * indent + closing])


def _flat(value: Any) -> str:
    if isinstance(value, Name):
        return value.name
    if isinstance(value, str):
        quotes = '"' in value and "'" not in value  # ruff has the quotes that need no escape
        return repr(value) if quotes else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Call | dict | tuple | list):
        opening, closing = _brackets(value)
        inside = ", ".join(f"{label}{_flat(part)}" for label, part in _parts(value))
        single = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening}{inside}{single}{closing}"
    return repr(value)


def _brackets(value: Any) -> tuple[str, str]:
    if isinstance(value, Call):
        return f"{value.function}(", ")"
    if isinstance(value, dict):
        return "{", "}"
    return ("[", "]") if isinstance(value, list) else ("(", ")")


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Call):
        return [("", each) for each in value.args] + [
            (f"{name}=", each) for name, each in value.named.items()
        ]
    if isinstance(value, dict):
        return [(f"{_flat(key)}: ", each) for key, each in value.items()]
    return [("", each) for each in value] if isinstance(value, tuple | list) else []
