"""Two versions of the marts compared, mart by mart, and what differs in words."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError
from orchestration.history.diff import Difference, Name, Row, compare
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import Version, all_versions, find, marts_of, open_register

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

Marts = dict[str, tuple[Name, list[str]]]  # by name: where the unmasked rows stand; masked columns


@dataclass(frozen=True)
class VersionDiff:
    """How version b differs from a: mart by mart, and the rows of those that only one has."""

    a: Version
    b: Version
    marts: dict[str, Difference]
    removed: dict[str, int]
    added: dict[str, int]


def diff_versions(
    session: "connection", names: tuple[str, str], mart: str | None = None, limit: int = 5
) -> VersionDiff:
    """Compare two versions, or one mart of them.

    Raises:
        ConfigurationError: there is no such version or mart; says which there are.
    """
    while True:
        a, b = (find(open_register(session), name) for name in names)
        with session, session.cursor() as cursor:
            found = _compare(cursor, a, b, mart, limit)
            if {a, b} <= set(all_versions(cursor)):
                return found
        # a publication came in between: what we read may have been another version


def _compare(cursor: "cursor", a: Version, b: Version, mart: str | None, limit: int) -> VersionDiff:
    in_a, in_b = standing_marts(cursor, a), standing_marts(cursor, b)
    if mart and mart not in in_a | in_b:
        there = ", ".join(sorted(in_a | in_b)) or "none"
        raise ConfigurationError(
            f"There is no mart {mart!r} in version {a.number} or {b.number}. Marts: {there}."
        )
    wanted = sorted({mart} if mart else in_a | in_b)
    both = {name: (in_a[name], in_b[name]) for name in wanted if name in in_a and name in in_b}
    return VersionDiff(
        a, b,
        {name: compare(cursor, left, right, {*hidden, *also_hidden}, limit)
         for name, ((left, hidden), (right, also_hidden)) in both.items()},
        {name: _count(cursor, in_a[name][0]) for name in wanted if name not in in_b},
        {name: _count(cursor, in_b[name][0]) for name in wanted if name not in in_a},
    )  # fmt: skip


def standing_marts(cursor: "cursor", version: Version) -> Marts:
    """The marts as they were sealed; of a version that never was, all that stands there."""
    schema = version.schema or ""
    standing = [name for name, _ in relations(cursor, schema)]
    sealed = marts_of(cursor, version) or {name: [] for name in standing}
    return {
        name: ((version.clear_schema if masked else schema, name), masked)
        for name, masked in sealed.items() if name in standing
    }  # fmt: skip


def _count(cursor: "cursor", relation: Name) -> int:
    ddl(cursor, "select count(*) from {}.{}", *relation)
    return int((cursor.fetchone() or (0,))[0])


def as_json(found: VersionDiff) -> str:
    """One document: both versions, the marts that both have, and those that one has alone."""
    return json.dumps(asdict(found), default=str, indent=1)


def in_words(found: VersionDiff) -> Iterator[str]:
    """Lines for people: what differs, mart by mart."""
    a, b = found.a, found.b
    yield f"version {a.number} ({a.state}) -> version {b.number} ({b.state})"
    for word, marts in (("removed", found.removed), ("added", found.added)):
        for mart, rows in marts.items():
            yield f"{mart}: the whole mart was {word}, {rows:,} row{'s' * (rows != 1)}"
    for mart, difference in found.marts.items():
        yield f"{mart}: {headline(difference)}"
        yield from (f"  {line}" for line in details(difference))


def headline(found: Difference) -> str:
    """How many rows differ."""
    if found.identical:
        return f"identical, {found.rows_a:,} rows"
    counts = f"{found.added:,} added, {found.removed:,} removed"
    if found.key:
        return f"{counts}, {found.changed:,} changed of {found.rows_a:,}"
    return f"{counts} of {found.rows_a:,}; no unique key, so whole rows were compared"


def details(found: Difference) -> Iterator[str]:
    """What differs: columns, match rates below 100 %, a few rows."""
    for word, columns in (("removed", found.only_a), ("added", found.only_b)):
        if columns:
            yield f"columns {word}: {', '.join(columns)}"
    for name, (old, new) in found.retyped.items():
        yield f"column {name} was {old}, is {new}: not compared"
    for name, rate in found.match_rates.items():
        if rate < 1:  # rounded down: 100 % is no difference at all
            yield f"{name}: {math.floor(rate * 10_000) / 100:.2f} % match"
    yield from (f"+ {_row(row)}" for row in found.added_rows)
    yield from (f"- {_row(row)}" for row in found.removed_rows)
    for change in found.changes:
        told = (
            f"{name} {_value(old)} -> {_value(new)}" for name, (old, new) in change.columns.items()
        )
        yield f"~ {_row(change.key)}: {', '.join(told)}"


def _row(row: Row) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in row.items())


def _value(value: str | None) -> str:
    return "null" if value is None else value
