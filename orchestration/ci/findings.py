"""What a CI job has found, and the gate: what of it stands against merging."""

import math
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from orchestration.artifacts import NodeResult, TestResult
from orchestration.errors import BAD_DATA, BROKEN, ConfigurationError
from orchestration.history.diff import Difference, Row

ALLOWABLE = ("breaking", "rows", "slower")
SHORT = 1.0  # seconds: what takes less says nothing about speed
TABLE = "[tool.ecluse.ci]"


@dataclass(frozen=True)
class Lint:
    """What a linter said. `status`: passed, failed, or missing where it is not installed."""

    tool: str
    status: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Breaking:
    """A promise to readers that the change breaks, and who reads it."""

    label: str
    said: str
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """A model's price now and when a run last built it; None where that is not known."""

    name: str
    seconds: float
    seconds_before: float | None = None
    rows: int | None = None
    rows_before: int | None = None
    size: int | None = None  # bytes of the table
    size_before: int | None = None


@dataclass(frozen=True)
class FailedRows:
    """Rows that fail a test, a few of them. Personal data shows as ***."""

    test: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Limits:
    """How much of a mart may differ: shares of its rows. `slower`: times as long, 0: no limit."""

    removed: float = 0.0
    added: float = 1.0
    changed: float = 1.0
    slower: float = 0.0


@dataclass(frozen=True)
class Objection:
    """Why the gate is closed. Kinds in ALLOWABLE can be allowed for one pull request."""

    kind: str
    said: str
    code: int = BAD_DATA


@dataclass
class Report:
    """All that is said about a pull request; grows step by step."""

    run_id: str
    commit: str | None = None
    version: int | None = None  # what it is compared with
    base_commit: str | None = None
    as_of: str | None = None  # the newest load that both sides have seen
    notes: list[str] = field(default_factory=list)
    lint: list[Lint] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # models, what is downstream of them included
    upstream: list[str] = field(default_factory=list)  # built again to be read, nothing else
    nodes: list[NodeResult] = field(default_factory=list)
    tests: list[TestResult] = field(default_factory=list)
    failed_rows: list[FailedRows] = field(default_factory=list)
    marts: dict[str, Difference] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)  # marts that readers do not have: rows
    impact: list[str] = field(default_factory=list)  # what the code changes, column by column
    breaking: list[Breaking] = field(default_factory=list)
    cost: list[Cost] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None  # why the job did not get to its end
    objections: list[Objection] = field(default_factory=list)
    allowed: list[Objection] = field(default_factory=list)

    @property
    def broken(self) -> list[NodeResult]:
        """Models that did not build, and tests that could not run."""
        return [node for node in self.nodes if node.status in {"error", "runtime error"}]

    def of_status(self, *statuses: str) -> list[TestResult]:
        """The tests that ended so."""
        return [test for test in self.tests if test.status in statuses]


def read_limits(root: Path) -> Limits:
    """The limits of the project in pyproject.toml.

    Raises:
        ConfigurationError: a name or a value there is wrong; says which.
    """
    return _limits(_configured(root), "")


def _configured(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    try:
        text = path.read_text() if path.exists() else ""
        found: Any = tomllib.loads(text).get("tool", {}).get("ecluse", {}).get("ci", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name} is not TOML: {error}.") from error
    return dict(found)


def _limits(given: Mapping[str, Any], mart: str) -> Limits:
    own = {name: value for name, value in given.items() if name != "marts"}
    return _checked({**asdict(Limits()), **own, **given.get("marts", {}).get(mart, {})})


def _checked(given: Mapping[str, Any]) -> Limits:
    known = {each.name for each in fields(Limits)}
    for name, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        if name not in known or not number:
            raise ConfigurationError(
                f"{TABLE} in pyproject.toml has {name} = {value!r}: give numbers, 0 or more, for "
                f"{', '.join(sorted(known))}, and tables of them as [tool.ecluse.ci.marts.NAME]."
            )
    return Limits(**given)


def judge(report: Report, root: Path, allow: Collection[str]) -> None:
    """Fill in what stands against merging, and what would but is allowed.

    Raises:
        ConfigurationError: the limits cannot be read.
    """
    found = [*_of_work(report), *_of_tests(report), *_of_breaking(report)]
    configured = _configured(root)
    for mart, difference in report.marts.items():
        found += _of_rows(mart, difference, _limits(configured, mart))
    for cost in report.cost:
        found += _of_cost(cost, _limits(configured, cost.name))
    report.allowed = [each for each in found if each.kind in allow]
    report.objections = [each for each in found if each.kind not in allow]


def exit_code(report: Report) -> int:
    """0, or that of the gravest objection: what does not work comes before what is wrong."""
    codes = {each.code for each in report.objections}
    return BROKEN if BROKEN in codes else BAD_DATA if codes else 0


def _of_work(report: Report) -> Iterator[Objection]:
    if report.error:
        yield Objection("error", report.error, BROKEN)
    for lint in report.lint:
        if lint.status == "failed":
            yield Objection("lint", f"{lint.tool} complains", BROKEN)
    for node in report.broken:
        yield Objection("broken", f"{node.resource_type} {node.name} broke", BROKEN)


def _of_tests(report: Report) -> Iterator[Objection]:
    for test in report.of_status("fail"):
        counted = test.failures and not test.unique_id.startswith("unit_test.")
        rows = f" ({in_rows(test.failures or 0)})" if counted else ""
        yield Objection("tests", f"the test {test.name} fails{rows}")


def _of_breaking(report: Report) -> Iterator[Objection]:
    for each in report.breaking:
        yield Objection("breaking", f"{each.label} {each.said}")


def _of_rows(mart: str, found: Difference, limits: Limits) -> Iterator[Objection]:
    for word in ("removed", "added", "changed"):
        count, most = getattr(found, word), getattr(limits, word)
        if found.rows_a and count / found.rows_a > most:
            share = f"{count:,} of {found.rows_a:,} rows ({percent(count / found.rows_a)})"
            yield Objection("rows", f"{mart}: {share} are {word}, the limit is {percent(most)}")


def _of_cost(cost: Cost, limits: Limits) -> Iterator[Objection]:
    before = cost.seconds_before
    if limits.slower and before and cost.seconds > max(SHORT, limits.slower * before):
        times = f"{cost.seconds / before:.1f} times as long as before"
        yield Objection("slower", f"{cost.name} takes {times}, the limit is {limits.slower:g}")


def in_rows(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} row{'s' * (count != 1)}"


def percent(share: float) -> str:
    """A share in words; never 0 % or 100 % for what is not."""
    rounded = math.ceil(share * 10_000) / 100 if share < 0.5 else math.floor(share * 10_000) / 100  # noqa: PLR2004
    return f"{rounded:g} %"
