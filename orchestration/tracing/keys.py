"""Which rows of a mart are meant: the arguments of `ecluse trace` as a condition."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError
from orchestration.history.diff import COLUMNS, KEYS

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Relation = tuple[str, str]


def read_key(cursor: "cursor", mart: str, stored: Relation, given: Sequence[str]) -> dict[str, str]:
    """Column to value: of `col=value` as they stand, of values alone by the mart's unique index.

    Raises:
        ConfigurationError: no such column, too few or too many values, or no unique index.
    """
    cursor.execute(COLUMNS, stored)
    columns = [name for name, _ in cursor.fetchall()]
    pairs = [value.partition("=") for value in given]
    if all(equals and name in columns for name, equals, _ in pairs):
        return {name: value for name, _, value in pairs}
    cursor.execute(KEYS, stored)
    key: list[str] = (cursor.fetchone() or ([],))[0]
    if key and len(key) == len(given):
        named = [each for each in pairs if each[1] and each[0].isidentifier() and len(key) > 1]
        if not named:
            return dict(zip(key, given, strict=True))
    raise ConfigurationError(
        f"{' '.join(given)!r} names no row of {mart}: "
        + (f"give {' and '.join(key)}, one after the other" if key else "it has no unique index")
        + f", or COLUMN=VALUE of any of its columns: {', '.join(columns)}."
    )


def condition(key: Mapping[str, str]) -> tuple[str, list[str]]:
    """The key as SQL with %s for each value, and the values."""
    names = ['"' + name.replace('"', '""').replace("%", "%%") + '" = %s' for name in key]
    return " and ".join(names), list(key.values())
