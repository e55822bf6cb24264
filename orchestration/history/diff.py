"""Two relations compared in the server, row by row: what came, what went, what changed.

Rows belong together by their key: the primary key, or else the first unique index of either side.
Where there is none, or it is not unique on both sides, whole rows are counted against each other.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg2.extensions import cursor
    from psycopg2.sql import Composable

Name = tuple[str, str]  # schema and relation
Row = dict[str, str | None]  # column to value, as text
STATEMENTS = Path(__file__).with_suffix(".sql").read_text().split(";\n")
COLUMNS, KEYS, BY_KEY, SAMPLE, COUNT_ROWS, EXTRA_ROWS, _ = STATEMENTS
NO_EQUALS = {"json", "xml", "point"}  # types that Postgres cannot compare; their text it can
MASKED = "case when {c} is not null then '***' end"
DIFFERS = "{a_c}{as_text} is distinct from {b_c}{as_text}"
COUNT = f"count(*) filter (where ({{in_a}}) and ({{in_b}}) and {DIFFERS})"
ADDED, REMOVED = "({in_b}) and not ({in_a})", "({in_a}) and not ({in_b})"
CHANGED = "({in_a}) and ({in_b}) and ({differ})"


@dataclass(frozen=True)
class Change:
    """A row that differs: its key, and old and new value of each column that does."""

    key: Row
    columns: dict[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Difference:
    """How the later relation, b, differs from a. Samples show *** for what is masked.

    Without a key a changed row is one removed and one added, and its sample {"row": its text}.
    """

    only_a: tuple[str, ...]  # columns; neither these nor those whose type changed are compared
    only_b: tuple[str, ...]
    retyped: dict[str, tuple[str, str]]
    key: tuple[str, ...]
    rows_a: int
    rows_b: int
    added: int
    removed: int
    changed: int
    unchanged: int
    match_rates: dict[str, float]  # by column, among the keys that are in both
    added_rows: tuple[Row, ...]
    removed_rows: tuple[Row, ...]
    changes: tuple[Change, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether columns, types and rows are all the same."""
        columns = self.only_a or self.only_b or self.retyped
        return not (columns or self.added or self.removed or self.changed)


def compare(
    cursor: "cursor", a: Name, b: Name, masked: Collection[str] = (), limit: int = 5
) -> Difference:
    """Compare two tables or views, wherever they stand.

    Args:
        cursor: of a session that may read both.
        a: the earlier one.
        b: the later one.
        masked: columns whose values are compared and never shown.
        limit: how many samples of each kind to fetch; no other row leaves the server.
    """
    pair = _Pair(cursor, a, b, masked, limit)
    return (pair.by_key() if pair.key else None) or pair.as_rows()


class _Pair:
    """Two relations, and the pieces that statements about them are made of."""

    def __init__(
        self, cursor: "cursor", a: Name, b: Name, masked: Collection[str], limit: int
    ) -> None:
        from psycopg2 import sql

        self.sql, self.cursor, self.masked = sql, cursor, masked
        in_a, in_b = (dict(self._catalog(COLUMNS, side)) for side in (a, b))
        self.types = {name: kind for name, kind in in_a.items() if in_b.get(name) == kind}
        self.columns = (
            tuple(name for name in in_a if name not in in_b),
            tuple(name for name in in_b if name not in in_a),
            {n: (in_a[n], in_b[n]) for n in in_a if n in in_b and n not in self.types},
        )
        keys = [tuple(names) for side in (a, b) for (names,) in self._catalog(KEYS, side)]
        self.key = next((key for key in keys if self.types.keys() >= set(key)), ())
        self.parts: dict[str, Composable] = {
            "a": sql.Identifier(*a), "b": sql.Identifier(*b), "limit": sql.Literal(limit),
        }  # fmt: skip

    def by_key(self) -> Difference | None:
        """None when the key is not unique on both sides, or holds nulls."""
        key, values = self.key, [name for name in self.types if name not in self.key]
        self.parts |= {
            "in_a": self._each("{a_c} is not null", key, " and "),
            "in_b": self._each("{b_c} is not null", key, " and "),
            "same_key": self._each("{a_c} = {b_c}", key, " and "),
            "differ": self._each(DIFFERS, values or key, " or "),
            "key": self._each("coalesce({a_shown}, {b_shown})", key),
            "order": self._each("coalesce({a_c}, {b_c})", key),
            "old": self._each("{a_shown}", values),
            "new": self._each("{b_shown}", values),
            "differs": self._each(DIFFERS, values),
        }
        self.parts["differing"] = self._each(COUNT, values)
        ((*rows, differing),) = self._run(BY_KEY)
        rows_a, rows_b, added, removed, changed, same = rows
        both = changed + same
        if (rows_a, rows_b) != (removed + both, added + both):
            return None
        rates = {n: 1 - d / both for n, d in zip(values, differing, strict=True) if both}
        came, went, changes = (
            self._sample(which, values) if count else ()
            for which, count in ((ADDED, added), (REMOVED, removed), (CHANGED, changed))
        )
        return self._said(
            key, *rows, rates, tuple(c.key for c in came), tuple(c.key for c in went), changes
        )

    def as_rows(self) -> Difference:
        """Each row as text, and how often it is there."""
        self.parts["all"] = self._each("{c}", self.types)
        self.parts["shown"] = self._each("{shown}", self.types)
        (rows,) = self._run(COUNT_ROWS)
        extra = []
        for here, there, count in (("b", "a", rows[2]), ("a", "b", rows[3])):
            sides = {"here": self.parts[here], "there": self.parts[there]}
            found = self._run(EXTRA_ROWS, **sides) if count else []
            extra.append(tuple({"row": row} for (row,) in found))
        return self._said((), *rows, {}, *extra)

    def _sample(self, which: str, values: list[str]) -> tuple[Change, ...]:
        found = []
        for key, *told in self._run(SAMPLE.replace("{which}", which)):
            columns = {n: (old, new) for n, old, new, d in zip(values, *told, strict=True) if d}
            found.append(Change(dict(zip(self.key, key, strict=True)), columns))
        return tuple(found)

    def _said(self, *found: Any) -> Difference:
        return Difference(*self.columns, *found)

    def _each(self, template: str, names: Iterable[str], glue: str = ", ") -> "Composable":
        """The template for every column: {c} of the table t, {a_c} and {b_c} of a and b."""
        text = self.sql.SQL
        pieces = []
        for name in names:
            parts: dict[str, Composable] = dict(self.parts)
            for table, prefix in (("t", ""), ("a", "a_"), ("b", "b_")):
                column = parts[prefix + "c"] = self.sql.Identifier(table, name)
                shown = MASKED if name in self.masked else "{c}::text"
                parts[prefix + "shown"] = text(shown).format(c=column)
            parts["as_text"] = text("::text" if self.types[name] in NO_EQUALS else "")
            pieces.append(text(template).format(**parts))
        return text(glue).join(pieces)

    def _run(self, template: str, **parts: "Composable") -> list[tuple]:
        self.cursor.execute(self.sql.SQL(template).format(**self.parts, **parts))
        return self.cursor.fetchall()

    def _catalog(self, query: str, relation: Name) -> list[tuple]:
        self.cursor.execute(query, relation)
        return self.cursor.fetchall()
