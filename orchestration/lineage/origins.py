"""What is known of a value while a query is read: where it comes from, and of what shape it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

# A column of a table in the warehouse, by the table's name; None is the table as a whole: its rows.
Ref = tuple[str, str | None]
Refs = frozenset[Ref]
NOTHING: Refs = frozenset()


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one value. Two values of one shape are computed alike, whatever names stand between."""

    direct: Refs = NOTHING  # what it is computed from
    indirect: Refs = NOTHING  # what decides of which rows it is computed
    shape: int = 0  # comparable within one process

    def all(self) -> Refs:
        """Both kinds."""
        return self.direct | self.indirect


def combine(origins: Iterable[Origin], *made: object) -> Origin:
    """The origin of a value that is made of others, in a way that `made` describes."""
    found = list(origins)
    return Origin(
        NOTHING.union(*(each.direct for each in found)),
        NOTHING.union(*(each.indirect for each in found)),
        hash((*made, *(each.shape for each in found))),
    )


@dataclass
class Relation:
    """Rows with columns, in order; a name may stand twice. `rows`: what decides which there are."""

    columns: list[tuple[str, Origin]] = field(default_factory=list)
    rows: Refs = NOTHING
    shape: int = 0  # of the rows
    other: Callable[[str], Origin] | None = None  # of columns that nobody has listed

    def find(self, name: str) -> list[Origin]:
        """The columns of that name."""
        found = [origin for column, origin in self.columns if column == name]
        return found or ([self.other(name)] if self.other else [])

    def whole(self) -> Origin:
        """A row as one value."""
        listed = combine((origin for _, origin in self.columns), "row")
        return combine([listed, self.other("*")]) if self.other else listed

    def count(self) -> Origin:
        """How many rows there are."""
        return Origin(frozenset(ref for ref in self.rows if ref[1] is None), NOTHING, self.shape)

    def existence(self) -> Origin:
        """Whether there is any row."""
        rows = frozenset(ref for ref in self.rows if ref[1] is not None)
        return Origin(self.count().direct, rows, hash(("exists", self.shape)))

    def value(self) -> Origin:
        """The relation as a value, as in `(select max(x) from t)`."""
        whole = self.whole()
        rows = frozenset(ref for ref in self.rows if ref[1] is not None)
        return Origin(whole.direct, whole.indirect | rows, hash((whole.shape, self.shape)))

    def renamed(self, names: list[str]) -> "Relation":
        """With other names for its first columns."""
        if not names:
            return self
        if self.other and len(names) > len(self.columns):
            known = [(name, self.other(name)) for name in names[len(self.columns) :]]
            self = replace(self, columns=self.columns + known)  # noqa: PLW0642 - a copy
        kept = self.columns[len(names) :]
        first = zip(names, (origin for _, origin in self.columns), strict=False)
        return replace(self, columns=[*first, *kept])


def table(name: str, columns: Iterable[str] | None) -> Relation:
    """A table of the warehouse; of one whose columns nobody knows, every name is a column."""

    def column(named: str) -> Origin:
        ref = (name, None if named == "*" else named)
        return Origin(frozenset([ref]), NOTHING, hash(ref))

    listed = [(each, column(each)) for each in columns or ()]
    rows = frozenset([(name, None)])
    return Relation(listed, rows, hash(name), None if columns else column)


def stacked(left: Relation, right: Relation, kind: str, distinct: bool) -> Relation:
    """The result of `left UNION right` and the like."""
    pairs = zip(left.columns, right.columns, strict=False)
    columns = [
        (name, one if kind == "except" else combine([one, two], kind))
        for (name, one), (_, two) in pairs
    ]
    rows = left.rows | right.rows
    if distinct or kind != "union":  # which rows are equal decides which are left
        rows = rows.union(*(origin.all() for _, origin in left.columns + right.columns))
    shapes = [origin.shape for _, origin in right.columns] if kind == "except" else []
    return Relation(columns, rows, hash((left.shape, right.shape, kind, distinct, *shapes)))
