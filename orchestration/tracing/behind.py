"""The rows behind given rows: for each source of a part, a query that finds them.

The method is that of tracing queries (Cui, Widom and Wiener, 2000): the part's own SELECT is run
again, with the columns of the source beside its own, and those rows are kept whose own columns are
the given ones. Of a grouped SELECT the groups are dropped, and the columns that are made of whole
groups are not compared.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from orchestration.tracing.parts import Part, Source, Untraceable

FEW = 20  # values of a column that are told to Postgres, which finds rows by them much sooner
PLAIN = {"where", "group", "having", "distinct", "limit", "offset", "joins", "laterals", "windows",
         "qualify", "sample"}  # fmt: skip


@dataclass(frozen=True)
class Behind:
    """A query for the rows of `view` that stand behind rows of a part."""

    view: str
    sql: str


def behind(
    part: Part,
    given: str,
    columns: Mapping[str, Sequence[str]],
    known: Mapping[str, Sequence[str]],
    aggregates: Collection[str],
) -> Iterator[Behind]:
    """For each source of a part the query that finds the rows behind those in the table `given`.

    Args:
        part: one whose columns are known.
        given: a table of rows of the part.
        columns: of each view.
        known: columns of the part of which all given rows have one of these values, as text.
        aggregates: the names of functions that are aggregates.

    Raises:
        Untraceable: ROLLUP and the like, or a row of the part is made of all rows of its sources.
    """
    if not isinstance(part.query, exp.Select):
        for source in part.sources:
            yield _side(part, given, source, columns[source.view])
    elif _passes_on(part):
        (source,) = part.sources
        pairs = zip(part.columns, columns[source.view], strict=True)
        renamed = ", ".join(f"{quoted(old)} as {quoted(new)}" for old, new in pairs)
        yield Behind(source.view, f"select {renamed} from {quoted(given)}")  # noqa: S608 - names
    else:
        select, compared = _ungrouped(part, aggregates)
        for source in part.sources:
            yield _of(part, select.copy(), compared, given, source, columns[source.view], known)


def quoted(name: str) -> str:
    """A name as Postgres wants it."""
    return '"' + name.replace('"', '""') + '"'


def _passes_on(part: Part) -> bool:
    """Whether the part is `select * from t` and no more."""
    query = part.query
    star = [item for item in query.expressions if isinstance(item, exp.Star) or item.is_star]
    return (
        len(part.sources) == len(query.expressions) == len(star) == 1
        and not any(query.args.get(name) for name in PLAIN)
        and not any(star[0].args.get(name) for name in ("except_", "replace", "rename"))
    )


def _side(part: Part, given: str, source: Source, columns: Sequence[str]) -> Behind:
    mine, theirs = (_row("s", columns), _row("t", part.columns))
    return Behind(
        source.view,
        f"select s.* from {quoted(source.view)} as s "  # noqa: S608 - names only
        f"where {mine} in (select {theirs} from {quoted(given)} as t)",
    )


def _row(alias: str, columns: Sequence[str]) -> str:
    """A row as text: nulls are alike, and types without = can be compared."""
    return f"row({', '.join(f'{alias}.{quoted(name)}' for name in columns)})::text"


def _ungrouped(part: Part, aggregates: Collection[str]) -> tuple[exp.Select, list[str]]:
    """The part's SELECT with a row for each of its sources' rows, and the columns to compare."""
    select = part.query.copy()
    assert isinstance(select, exp.Select)  # noqa: S101 - the caller has looked
    group = select.args.get("group")
    if group and any(group.args.get(name) for name in ("rollup", "cube", "grouping_sets")):
        raise Untraceable("it groups in several ways at once")
    whole = [_made_of_many(item, aggregates) for item in select.expressions]
    having = select.args.get("having")
    if not group and (having or any(kind == "group" for kind in whole)):
        raise Untraceable("one row is made of all of them")
    places = _places(select.expressions, len(part.columns))
    left_out = set()
    for item, kind, place in zip(list(select.expressions), whole, places, strict=True):
        if kind:
            if place is None:
                raise Untraceable("it has an aggregate between two stars")
            left_out.add(part.columns[place])
            item.replace(exp.Null())
    for name in ("group", "having", "distinct", "order", "limit", "offset", "windows"):
        select.set(name, None)
    return select, [name for name in part.columns if name not in left_out]


def _made_of_many(item: exp.Expr, aggregates: Collection[str]) -> str:
    """Whether a column is made of a "group", of a "window", or of one row only ("")."""
    kinds = set()
    for node in item.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(node, exp.Window):
            kinds.add("window")
        elif isinstance(node, exp.AggFunc) or (
            isinstance(node, exp.Anonymous) and node.name.lower() in aggregates
        ):
            kinds.add("window" if isinstance(node.parent, exp.Window) else "group")
    return "group" if "group" in kinds else "window" if kinds else ""


def _places(items: Sequence[exp.Expr], columns: int) -> list[int | None]:
    """Which column of the result each item is; a star is several, and nobody asks for them."""
    stars = [number for number, item in enumerate(items) if item.is_star]
    if not stars:
        return list(range(columns))
    return [
        number if number < stars[0] else columns - len(items) + number if number > stars[-1]
        else None for number in range(len(items))
    ]  # fmt: skip


def _of(
    part: Part,
    select: exp.Select,
    compared: Sequence[str],
    given: str,
    source: Source,
    columns: Sequence[str],
    known: Mapping[str, Sequence[str]],
) -> Behind:
    marks = {name: f"_s{number}" for number, name in enumerate(columns)}
    numbered = {name: f"_c{number}" for number, name in enumerate(part.columns)}
    alias = _identifier(source.alias)
    for name, mark in marks.items():
        select.append("expressions", exp.column(_identifier(name), alias.copy()).as_(mark))
    conditions = [f"num_nonnulls({', '.join(marks.values())}) > 0"]  # an outer join found no row
    if compared:
        mine, theirs = _row("x", [numbered[name] for name in compared]), _row("t", compared)
        conditions.append(f"{mine} in (select {theirs} from {quoted(given)} as t)")  # noqa: S608
    for name in known.keys() & set(compared):
        values = ", ".join(map(_literal, known[name]))
        conditions.append(f"{numbered[name]} in ({values})")
    wanted = ", ".join(f"{mark} as {quoted(name)}" for name, mark in marks.items())
    names = ", ".join((*numbered.values(), *marks.values()))
    return Behind(
        source.view,
        f"select {wanted} from ({select.sql(dialect='postgres')}) as x ({names}) "  # noqa: S608
        f"where {' and '.join(conditions)}",
    )


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
