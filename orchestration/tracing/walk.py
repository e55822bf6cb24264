"""Walk from given rows of a mart to the rows behind them, in one transaction of the warehouse.

Of each part of each model, the rows that stand behind the given ones are put into a temporary
table. It is all gone when the transaction is rolled back.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestration.tracing.queries import Given, Untraceable, behind, quoted, sources
from orchestration.tracing.views import Place, Views

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

MOST = 100_000  # rows of one table that are followed
FEW = 20  # values of a column that are told to Postgres, which finds rows by them much sooner
AGGREGATES = "select distinct proname from pg_proc where prokind = 'a'"
# Columns, their types, and whether their values can be told as text.
TYPES = """
select attname, format_type(atttypid, atttypmod), typcategory in ('S', 'N', 'D', 'B')
from pg_attribute join pg_type as t on t.oid = atttypid
where attrelid = %s::regclass and attnum > 0 order by attnum
"""


class Walk:
    """One walk; `views.notes` tells what could not be followed."""

    def __init__(self, cursor: "cursor", views: Views) -> None:
        """The cursor is in a transaction."""
        self.cursor, self.views = cursor, views
        # of what stands in a temporary view Postgres guesses far too few rows
        cursor.execute("set local enable_nestloop = off; set local jit = off")
        cursor.execute(AGGREGATES)
        self._aggregates = {name for (name,) in cursor.fetchall()}
        self._given: dict[str, list[str]] = defaultdict(list)  # queries for the rows of a view
        self._needed: dict[str, set[str]] = defaultdict(set)  # columns of a view

    def back(self, mart: str, key: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
        """The relations behind the rows of that key, nearest first.

        Of each its name, the temporary table of its rows that stand behind, and their number.

        Raises:
            psycopg2.DataError: a value is none of its column's type.
        """
        start = self.views.of(mart)
        where = " and ".join(f"{quoted(name)} = %s" for name in key)
        asked = f"select * from {quoted(start)} where {where}"  # noqa: S608 - names only
        self.cursor.execute(asked, (*key.values(),))
        self._given[start].append(self.cursor.mogrify(asked, (*key.values(),)).decode())
        self._needed[start].update(self.views.places[start].columns)
        counts: dict[str, int] = {}
        for place in reversed(self.views.places.values()):  # whoever reads a view comes after it
            if self._given[place.view]:
                with self._safely(place):
                    counts[place.view] = self._collect(place)
                    if counts[place.view] and place.query:
                        self._ask(place)
        for view in self._down_from(start):
            place = self.views.places[view]
            if view in counts and not place.part:
                yield place.relation, f"{view}_rows", counts[view]

    def _down_from(self, view: str) -> Iterator[str]:
        """The views behind one, in the order in which the SQL names them; each once."""
        waiting, seen = [view], set[str]()
        while waiting:
            view = waiting.pop()
            if view not in seen:
                seen.add(view)
                yield view
                query = self.views.places[view].query
                waiting += reversed(sources(query).values() if query else ())

    def _collect(self, place: Place) -> int:
        """Put the rows of a place, each once, into a table; returns how many."""
        row = ", ".join(f"t.{quoted(name)}" for name in place.columns)
        union = " union all ".join(f"({each})" for each in self._given[place.view])
        self.cursor.execute(
            f"create temporary table {place.view}_rows on commit drop as "  # noqa: S608 - names
            f"select distinct on (row({row})::text) {row} from ({union}) as t limit {MOST + 1}"
        )
        count = self.cursor.rowcount
        if count > MOST:
            self._note(place, f"of more than {MOST:,} rows only as many are followed")
        return count

    def _ask(self, place: Place) -> None:
        """Ask for the rows behind those of a place."""
        table = f"{place.view}_rows"
        self.cursor.execute(TYPES, (table,))
        types = self.cursor.fetchall()
        known = self._known(table, [name for name, _, tellable in types if tellable])
        needed = self._needed[place.view]
        given = Given(table, {name: kind for name, kind, _ in types}, known, needed)
        columns = {view: each.columns for view, each in self.views.places.items()}
        assert place.query  # noqa: S101 - the caller has looked
        for each in behind(place.query, given, columns, self._aggregates):
            self._given[each.view].append(each.sql)
            self._needed[each.view] |= each.needed

    @contextmanager
    def _safely(self, place: Place) -> Iterator[None]:
        """What one place cannot be asked must not end the walk."""
        import psycopg2

        self.cursor.execute("savepoint step")
        try:
            yield
        except Untraceable as error:
            self._note(place, f"{error}; they are not shown")
        except psycopg2.Error as error:
            self.cursor.execute("rollback to savepoint step")
            told = type(error).__name__  # what Postgres says of data may quote it
            if not isinstance(error, psycopg2.DataError):
                told = str(error).splitlines()[0]
            self._note(place, f"cannot be followed ({told})")

    def _known(self, table: str, names: Sequence[str]) -> dict[str, list[str]]:
        """Columns with few values in these rows, and the values."""
        asked = ", ".join(
            f"case when count(*) = count({c}) and count(distinct {c}) <= {FEW} "
            f"then array_agg(distinct {c}::text) end"
            for c in map(quoted, names)
        )
        self.cursor.execute(f"select {asked} from {table}")  # noqa: S608 - names only
        values = self.cursor.fetchone() or ()
        return {name: few for name, few in zip(names, values, strict=True) if few}

    def _note(self, place: Place, said: str) -> None:
        part = f" ({place.part})" if place.part else ""
        self.views.notes.append(f"{place.relation}{part}: {said}")
