"""What a look at a source has found: plain data that the scaffold writes down."""

from dataclasses import dataclass, field
from typing import Any

from ingestion.contract import Contract


@dataclass(frozen=True)
class Wish:
    """What a person asked to look at, and how hard to look."""

    url: str
    resources: tuple[str, ...] = ()
    openapi: str | None = None
    sample: int = 20_000  # rows of each resource
    requests: int = 1_000


@dataclass(frozen=True)
class Since:
    """How to ask for what changed: rows whose `column` is not before the value of `param`."""

    column: str
    param: str
    style: str  # how the value is written: timestamp, date, epoch


@dataclass
class Resource:
    """One list of rows: an endpoint, a table of a database, or files of one kind.

    `found` are sentences on what it is and how that was proven, `doubts` on what could not be.
    """

    contract: Contract
    path: str
    rows: str = "$"  # where in the answer the list lies, as a JSONPath
    paginator: dict[str, Any] = field(default_factory=lambda: {"type": "single_page"})
    params: dict[str, Any] = field(default_factory=dict)
    since: Since | None = None
    sampled: int = 0
    total: int | None = None  # rows there are, where it says so
    found: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


@dataclass
class Found:
    """A source: `kind` is rest, sql or files; `secrets` come from outside: our name, dlt's."""

    kind: str
    url: str
    resources: list[Resource]
    auth: dict[str, Any] = field(default_factory=dict)  # dlt's auth config without its secrets
    secrets: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    requests: int = 0
