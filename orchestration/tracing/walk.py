"""Walk from given rows of a mart to the rows behind them, in one transaction of the warehouse.

Of each part of each model, the rows that stand behind the given ones are put into a temporary
table. It is all gone when the transaction is rolled back.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.tracing.behind import FEW, behind, quoted
from orchestration.tracing.parts import Untraceable
from orchestration.tracing.views import Place, Views

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

MOST = 100_000  # rows of one table that are followed
MANY = 10_000  # rows among which nobody looks for common values
AGGREGATES = "select distinct proname from pg_proc where prokind = 'a'"
# Columns of types whose values can be told as text.
TELLABLE = """
select attname from pg_attribute join pg_type as t on t.oid = atttypid
where attrelid = %s::regclass and attnum > 0 and typcategory in ('S', 'N', 'D', 'B')
"""
Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Rows of one model or table that stand behind the given ones: how many, and the first."""

    relation: str
    count: int
    rows: tuple[Row, ...]
    table: str  # the temporary table that holds them all


class Walk:
    """One walk; `views.notes` tells what could not be followed."""

    def __init__(self, cursor: "cursor", views: Views, limit: int) -> None:
        """Show at most `limit` rows of each table. The cursor is in a transaction."""
        self.cursor, self.views, self.limit = cursor, views, limit
        # of what stands in a temporary view Postgres guesses far too few rows
        cursor.execute("set local enable_nestloop = off; set local jit = off")
        cursor.execute(AGGREGATES)
        self._aggregates = {name for (name,) in cursor.fetchall()}
        self._given: dict[str, list[str]] = defaultdict(list)  # queries for the rows of a view

    def back(self, mart: str, where: str, values: Sequence[object]) -> list[Found]:
        """The rows of a mart that a condition names, and all behind them, nearest first.

        Args:
            mart: where to begin.
            where: a condition on its columns, with %s for each value.
            values: what is compared.

        Raises:
            psycopg2.DataError: a value is none of its column's type.
        """
        start = self.views.of_mart(mart)
        first = f"select * from {quoted(start)} where {where}"  # noqa: S608 - names only
        self.cursor.execute(first, tuple(values))
        self._given[start].append(self.cursor.mogrify(first, tuple(values)).decode())
        found: dict[str, Found] = {}
        for place in reversed(self.views.places.values()):  # whoever reads a view comes after it
            if self._given[place.view]:
                for each in self._step(place):
                    found[place.view] = each
        return [found[view] for view in self._down_from(start) if view in found]

    def _down_from(self, view: str) -> Iterator[str]:
        """The views behind one, in the order in which the SQL names them; each once."""
        waiting, seen = [view], set[str]()
        while waiting:
            view = waiting.pop()
            if view not in seen:
                seen.add(view)
                yield view
                place = self.views.places[view]
                sources = [source.view for source in place.part.sources] if place.part else []
                waiting += [each for each in (*reversed(sources), place.made_by) if each]

    def _step(self, place: Place) -> Iterator[Found]:
        """Collect the rows of a place, and ask for those behind them."""
        table = f"{place.view}_rows"
        row = ", ".join(f"t.{quoted(name)}" for name in place.columns)
        union = " union all ".join(f"({each})" for each in self._given[place.view])
        with self._safely(place):
            self.cursor.execute(
                f"create temporary table {quoted(table)} on commit drop as "  # noqa: S608 - names
                f"select distinct on (row({row})::text) {row} from ({union}) as t limit {MOST + 1}"
            )
            count = self.cursor.rowcount
            if count > MOST:
                self._note(place, f"of more than {MOST:,} rows only as many are followed")
            if place.whole:
                yield Found(place.of, count, self._first(table), table)
            if count and place.made_by:
                self._given[place.made_by].append(f"select {row} from {quoted(table)} as t")  # noqa: S608
            elif count and place.part and place.part.sources:
                self._ask(place, table, count)

    def _ask(self, place: Place, table: str, count: int) -> None:
        assert place.part  # noqa: S101 - the caller has looked
        places = self.views.places
        columns = {source.view: places[source.view].columns for source in place.part.sources}
        known = self._known(table) if count <= MANY else {}
        for each in behind(place.part, table, columns, known, self._aggregates):
            self._given[each.view].append(each.sql)

    @contextmanager
    def _safely(self, place: Place) -> Iterator[None]:
        """What one place cannot be asked must not end the walk."""
        import psycopg2

        self.cursor.execute("savepoint step")
        try:
            yield
        except Untraceable as error:
            self._note(place, f"{error}, so they are not shown")
        except psycopg2.Error as error:
            self.cursor.execute("rollback to savepoint step")
            self._note(place, f"cannot be followed ({str(error).splitlines()[0]})")

    def _first(self, table: str) -> tuple[Row, ...]:
        self.cursor.execute(f"select * from {quoted(table)} order by 1 limit %s", (self.limit,))  # noqa: S608
        names = [column.name for column in self.cursor.description or ()]
        return tuple(dict(zip(names, row, strict=True)) for row in self.cursor.fetchall())

    def _known(self, table: str) -> dict[str, list[str]]:
        """Columns with few values in these rows, and the values."""
        self.cursor.execute(TELLABLE, (quoted(table),))
        names = [name for (name,) in self.cursor.fetchall()]
        if not names:
            return {}
        asked = ", ".join(
            f"case when count(*) = count({c}) and count(distinct {c}) <= {FEW} "
            f"then array_agg(distinct {c}::text) end"
            for c in map(quoted, names)
        )
        self.cursor.execute(f"select {asked} from {quoted(table)}")  # noqa: S608 - names only
        values = self.cursor.fetchone() or ()
        return {name: few for name, few in zip(names, values, strict=True) if few}

    def _note(self, place: Place, said: str) -> None:
        part = f" ({place.part.name})" if place.part and place.part.name else ""
        note = f"{place.of}{part}: {said}"
        self.views.notes += [note] if note not in self.views.notes else []
