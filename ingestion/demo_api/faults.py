"""Faults on request: which answers go wrong, where, and how often.

A fault is written as one word, here and in `POST /faults`:

    NAME[@ENDPOINT][?OPTION=VALUE[&OPTION=VALUE...]]

    500@orders                                the next answer of /orders is a 500
    429@orders?page=3&times=2&retry_after=1   page 3 of /orders, twice
    null_key@customers?row=4                  the fifth row of the next page has no id
    unknown_column@supplies?times=-1          for ever
    slow?delay=5                              the next answer of any endpoint

ENDPOINT is one of the shop's six or `tickets`, or left out for any of them. `page` (from 1) narrows
it to one page; `times` (default 1) says how many answers it spoils, -1 for ever. The other options
belong to single faults: `retry_after` (whole seconds), `delay` (seconds), `row` (from 0), `column`.
Of several faults that fit a request the one set first is used.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from ingestion.demo_api import bad_rows
from ingestion.demo_api.broken import KINDS, Options


class FaultError(ValueError):
    """A fault that cannot be set; the message names what is allowed instead."""


@dataclass
class Fault:
    """A fault that is set; `left` answers are still to be spoilt, -1 for ever."""

    spec: str
    name: str
    endpoint: str | None
    page: int | None
    left: int
    options: Options
    served: int = 0

    def fits(self, endpoint: str, page: int) -> bool:
        """Tell whether this fault spoils that request."""
        here = self.endpoint in (None, endpoint) and self.page in (None, page)
        return here and self.left != 0


@dataclass
class Faults:
    """The faults that are set, shared by all requests."""

    _set: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, spec: str) -> Fault:
        """Set a fault; raises FaultError when it cannot be read."""
        fault = parse(spec)
        with self._lock:
            self._set.append(fault)
        return fault

    def all(self) -> list[Fault]:
        """List every fault that was set, those used up included."""
        with self._lock:
            return list(self._set)

    def clear(self) -> int:
        """Forget all faults and return how many there were."""
        with self._lock:
            count = len(self._set)
            self._set.clear()
            return count

    def take(self, endpoint: str, page: int) -> Fault | None:
        """Return the fault for this request, counting it as served."""
        with self._lock:
            for fault in self._set:
                if fault.fits(endpoint, page):
                    fault.served += 1
                    fault.left -= fault.left > 0
                    return fault
            return None


def describe() -> list[tuple[str, str]]:
    """List each fault's name, and what it does with which options of its own."""
    own = {name: f" ({', '.join(kind.options)})" for name, kind in KINDS.items() if kind.options}
    return [(name, kind.summary + own.get(name, "")) for name, kind in KINDS.items()]


def parse(spec: str) -> Fault:
    """Read a fault from its one-word form; raises FaultError."""
    place, _, query = spec.partition("?")
    name, at, endpoint = place.partition("@")
    _must_be_one_of(name, KINDS, f"There is no fault {name!r}")
    if at:
        _must_be_one_of(endpoint, bad_rows.TEXTS, f"Fault {spec!r}: no endpoint {endpoint!r}")
    given = _options(spec, name, query)
    page, times = given.pop("page", None), given.pop("times", 1)
    options = Options(**given)
    _check_column(spec, name, endpoint, options.column)
    return Fault(spec, name, endpoint or None, page, times, options)


_READ: dict[str, Callable[[str], Any]] = {
    "page": int,
    "times": int,
    "retry_after": int,
    "delay": float,
    "row": int,
    "column": str,
}
_LEAST = {"page": 1, "times": -1, "retry_after": 0, "delay": 0, "row": 0}


def _options(spec: str, name: str, query: str) -> dict[str, Any]:
    allowed = ("page", "times", *KINDS[name].options)
    given = {}
    for option, written in parse_qsl(query, keep_blank_values=True):
        _must_be_one_of(option, allowed, f"Fault {spec!r}: {name} has no option {option!r}")
        try:
            given[option] = _READ[option](written)
        except ValueError as error:
            raise FaultError(f"Fault {spec!r}: {option} must be a number.") from error
        if option in _LEAST and not given[option] >= _LEAST[option]:
            raise FaultError(f"Fault {spec!r}: {option} must be {_LEAST[option]} or more.")
    return given


def _check_column(spec: str, name: str, endpoint: str, column: str | None) -> None:
    if name == "out_of_range":
        here = f"Fault {spec!r}: only numbers can be out of range"
        _must_be_one_of(endpoint, bad_rows.NUMBERS, f"{here}, name an endpoint that has some")
        _must_be_one_of(column, (None, *bad_rows.NUMBERS[endpoint]), here)
    elif column is not None and name != "unknown_column":
        _must_be_one_of(endpoint, bad_rows.TEXTS, f"Fault {spec!r}: a column needs an endpoint")
        known = bad_rows.columns(endpoint)
        _must_be_one_of(column, known, f"Fault {spec!r}: {endpoint} has no column {column!r}")


def _must_be_one_of(value: str | None, allowed: Any, complaint: str) -> None:
    if value not in allowed:
        names = ", ".join(name for name in allowed if name)
        raise FaultError(f"{complaint}; use one of: {names}.")
