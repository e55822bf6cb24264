"""What names mean inside one SELECT, by the rules of Postgres."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from orchestration.lineage.origins import NOTHING, Origin, Refs, Relation, combine

SYSTEM = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"}  # columns that every table has
KEYWORDS = {"current_schema", "localtime", "system_user", "user"}  # sqlglot reads them as columns
Columns = list[tuple[str, Origin]]
Ctes = dict[str, Relation]
Schema = Mapping[str, Collection[str]]  # "schema.table" (or "table") -> its columns


def folded(name: object) -> str:
    """A name as Postgres stores it: in small letters unless it was quoted."""
    if isinstance(name, exp.Identifier):
        text: str = name.this
        return text if name.args.get("quoted") else text.lower()
    return folded(name.this) if isinstance(name, exp.Expr) else str(name or "").lower()


@dataclass
class Reading:
    """What all queries of one text share. `reader` knows how to read a query."""

    schema: Schema
    reader: "Callable[[Reading, exp.Expr, Scope | None, Ctes], Relation]"
    problems: list[str] = field(default_factory=list)

    def query(self, node: exp.Expr, outer: "Scope | None", ctes: Ctes) -> Relation:
        """The result of a query that sees the tables of `outer`, and those CTEs."""
        return self.reader(self, node, outer, ctes)

    def problem(self, told: str) -> Origin:
        """Note what cannot be told; nothing is guessed instead."""
        self.problems.append(told)
        return Origin(shape=hash(told))


@dataclass
class Scope:
    """The tables of one FROM, and what an inner query may see of the outer ones."""

    reading: Reading
    outer: "Scope | None" = None
    ctes: Ctes = field(default_factory=dict)
    sources: dict[str, Relation] = field(default_factory=dict)
    # What `*` would show. A comma begins another part: USING and NATURAL look at the last one.
    parts: list[Columns] = field(default_factory=list)
    rows: Refs = NOTHING
    shape: int = 0
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    aliases: dict[str, Origin] = field(default_factory=dict)  # of the output, for GROUP BY

    def star(self) -> Columns:
        """What `*` stands for."""
        return [column for part in self.parts for column in part]

    def add(self, name: str, relation: Relation) -> None:
        """A table, subquery or function of the FROM, under its alias."""
        # rows that only pass through are the same rows, however many queries they pass
        together = (self.shape, relation.shape)
        self.shape = hash(together) if self.sources else relation.shape
        self.sources[name] = relation
        self.rows |= relation.rows

    def depends(self, origin: Origin, why: str) -> None:
        """The rows depend on a value: a filter, a join, a group."""
        self.rows |= origin.all()
        self.shape = hash((self.shape, why, origin.shape))

    def count(self) -> Origin:
        """As in `count(*)`."""
        return Relation(rows=self.rows, shape=self.shape).count()

    def column(self, name: str, source: str = "") -> Origin:
        """The origin of a column, or of a whole row where the name is a table's."""
        for scope in self._outwards():
            found = scope.own(name, source)
            if len(found) > 1:
                return self.reading.problem(f"the column {name} is ambiguous")
            if found:
                return found[0]
            if source in scope.sources:
                break
        if row := None if source else self.row(name):
            return row.whole()
        return self._unlisted(name, source)

    def row(self, name: str) -> Relation | None:
        """The table whose whole row a bare name stands for, if it is not a column's."""
        if any(scope.own(name, "") for scope in self._outwards()):
            return None
        return self.source(name)

    def source(self, name: str) -> Relation | None:
        """The table of that alias, here or further out."""
        return next((s.sources[name] for s in self._outwards() if name in s.sources), None)

    def own(self, name: str, source: str) -> list[Origin]:
        """The columns of that name here; a table that lists none has any, if it is the only one."""
        if source:
            return self.sources[source].find(name) if source in self.sources else []
        found = [origin for column, origin in self.star() if column == name]
        if not found and name in self.aliases:
            return [self.aliases[name]]
        if found or name in self.sources or name in KEYWORDS or name in SYSTEM:
            return found
        return [each.other(name) for each in self.sources.values() if each.other]

    def join(self, right: Columns, using: list[str] | None, side: str) -> None:
        """Put the columns of a joined table beside those on its left; None is a natural join."""
        left, there = self.parts[-1], dict(right)
        names = [name for name, _ in left if name in there] if using is None else using
        merged: Columns = []
        for name in names:
            one, two = self._only(left, name), self._only(right, name)
            # an inner join: both are the value; an outer one: that of the side all of which is kept
            kept = {"left": [one], "right": [two]}.get(side, [one, two])
            merged.append((name, kept[0] if len(kept) == 1 else combine(kept, "using")))
            self.depends(combine([one, two]), "using")
        self.parts[-1] = merged + [each for each in [*left, *right] if each[0] not in names]

    def _only(self, columns: Columns, name: str) -> Origin:
        found = [origin for column, origin in columns if column == name]
        found = found or [each.other(name) for each in self.sources.values() if each.other]
        told = f"the column {name} of a join is not known on one side"
        return found[0] if len(found) == 1 else self.reading.problem(told)

    def _unlisted(self, name: str, source: str) -> Origin:
        found = self.source(source) if source else None
        if name in SYSTEM:
            return found.count() if found else self.count()
        if name in KEYWORDS:
            return Origin(shape=hash(name))
        full = f"{source}.{name}" if source else name
        return self.reading.problem(f"the column {full} is not known")

    def _outwards(self) -> "Iterator[Scope]":
        scope: Scope | None = self
        while scope:
            yield scope
            scope = scope.outer
