"""What a look at a source has found: plain data that the scaffold writes down."""

from dataclasses import dataclass, field
from typing import Any

from ingestion.contract import Contract

# a table without a key: a row is known by the hash of its whole content, which raw has anyway
WHOLE_ROW = ("_dlt_id",)


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
    """A source: `kind` is rest, sql or files; `auth` in the words of `--auth`, never a secret."""

    kind: str
    url: str
    resources: list[Resource]
    auth: str = ""
    doubts: list[str] = field(default_factory=list)
    requests: int = 0
