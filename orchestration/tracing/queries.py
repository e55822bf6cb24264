"""Queries that find the rows behind given rows, made of a model's own SQL.

The SQL is taken apart: each CTE and each subquery of a FROM becomes a part. For each source of a
part there is a tracing query (Cui, Widom and Wiener, 2000): the part's own SELECT again, with the
columns of the source beside its own, of those rows whose own columns are the given ones. Of a
grouped SELECT the groups are dropped, and columns made of whole groups are not compared. A left
join that gives no column that anybody needs is not followed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.eliminate_subqueries import eliminate_subqueries
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

Columns = Mapping[str, Sequence[str]]  # of each view
MANY_WAYS = (exp.Rollup, exp.Cube, exp.GroupingSets)
CLAUSES = ("group", "having", "distinct", "order", "limit", "offset", "windows")


class Untraceable(Exception):
    """SQL that cannot be walked back; says why."""


@dataclass(frozen=True)
class Given:
    """Rows of a part, in the table `name`: column to type, and few values of some columns.

    `needed` are the columns that somebody has asked for.
    """

    name: str
    types: Mapping[str, str]
    known: Mapping[str, Sequence[str]]
    needed: Collection[str]


@dataclass(frozen=True)
class Behind:
    """A query for the rows of `view` that stand behind given rows, and which columns they need."""

    view: str
    sql: str
    needed: frozenset[str]


def parsed(sql: str) -> exp.Query:
    """A model's SQL.

    Raises:
        Untraceable: it does not parse, or is recursive.
    """
    try:
        query = sqlglot.parse_one(sql, dialect="postgres")
    except SqlglotError as error:
        raise Untraceable(f"its SQL cannot be parsed ({str(error).splitlines()[0]})") from error
    recursive = any(with_.args.get("recursive") for with_ in query.find_all(exp.With))
    if recursive or not isinstance(query, exp.Query):
        raise Untraceable(f"it is {'recursive' if recursive else 'no query'}")
    return query


def take_apart(query: exp.Query, schema: dict[str, Any]) -> Iterator[tuple[str, exp.Query]]:
    """The parts of a query by name, each after those that it reads; the whole comes last, as "".

    The query is changed. `schema` knows what it reads: schema to table to column to type.

    Raises:
        Untraceable: what its names mean cannot be told.
    """
    try:
        names = MappingSchema(schema, dialect="postgres", normalize=False)  # as Postgres has them
        query = qualify(query, dialect="postgres", schema=names, validate_qualify_columns=False)
        query = eliminate_subqueries(query)
    except SqlglotError as error:
        raise Untraceable(f"its names are not clear ({str(error).splitlines()[0]})") from error
    with_ = query.args.get("with_")
    query.set("with_", None)
    for cte in with_.expressions if with_ else ():
        yield from _sides(cte.alias, cte.this)
    yield from _sides("", query)


def _sides(name: str, query: exp.Query) -> Iterator[tuple[str, exp.Query]]:
    """A query; of UNION and the like first the queries on both of its sides."""
    if isinstance(query, exp.SetOperation):
        for arg in ("this", "expression"):
            side = query.args[arg].unnest()
            yield from _sides(called := f"{name} {arg}".strip(), side)
            columns = (exp.column(column, called, quoted=True) for column in side.named_selects)
            query.set(arg, exp.select(*columns).from_(exp.to_table(f'"{called}"').as_(called)))
    elif not isinstance(query, exp.Select):
        raise Untraceable(f"it holds {query.key.upper()}")
    yield name, query


def tables(query: exp.Expr) -> list[exp.Table]:
    """The tables and CTEs that a query names, its subqueries too; no functions."""
    return [each for each in query.find_all(exp.Table) if isinstance(each.this, exp.Identifier)]


def sources(query: exp.Query) -> dict[str, str]:
    """What stands in FROM, or on the sides of UNION: alias to name."""
    sides = [query.left, query.right] if isinstance(query, exp.SetOperation) else [query]
    return {table.alias_or_name: table.name for side in sides for table in tables(side)
            if table.find_ancestor(exp.Select) is side}  # fmt: skip


def quoted(name: str) -> str:
    """A name as Postgres wants it."""
    return '"' + name.replace('"', '""') + '"'


def behind(
    query: exp.Query, given: Given, columns: Columns, aggregates: Collection[str]
) -> Iterator[Behind]:
    """For each source of a part the query that finds the rows behind the given ones.

    The tables of the query are views with these columns; `aggregates` are names of functions.

    Raises:
        Untraceable: ROLLUP and the like, or a row of the part is made of all rows of its sources.
    """
    if not isinstance(query, exp.Select):
        for view in sources(query).values():
            pairs = dict(zip(query.named_selects, columns[view], strict=True))
            where = _among(given, {name: f"s.{quoted(mine)}" for name, mine in pairs.items()})
            sql = f"select s.* from {quoted(view)} as s where {where}"  # noqa: S608 - names only
            yield Behind(view, sql, frozenset(columns[view]))
    elif passed := _passed_on(query, columns):
        (view,) = sources(query).values()
        renamed = ", ".join(f"{quoted(passed[new])} as {quoted(new)}" for new in columns[view])
        needed = frozenset(new for new, old in passed.items() if old in given.needed)
        yield Behind(view, f"select {renamed} from {quoted(given.name)}", needed)  # noqa: S608
    else:
        select, compared, asked = _ungrouped(query, given, aggregates)
        for alias, view in sources(select).items():
            sql = _tracing(select.copy(), _among(given, compared), alias, columns[view])
            used = {each.name for each in asked.find_all(exp.Column) if each.table == alias}
            yield Behind(view, sql, frozenset(used))


def _among(given: Given, mine: Mapping[str, str]) -> str:
    """That a row is one of the given ones, by expressions for some of its columns.

    Rows are compared as text: so nulls are alike, and types without = can be compared. A stored
    table may have other types than its SQL.
    """
    row = ", ".join(f"{each}::{given.types[name]}" for name, each in mine.items())
    theirs = ", ".join(f"t.{quoted(name)}" for name in mine)
    found = f"row({row})::text in (select row({theirs})::text from {quoted(given.name)} as t)"  # noqa: S608
    known = (f"{each} in ({', '.join(map(_literal, given.known[name]))})"
             for name, each in mine.items() if name in given.known)  # fmt: skip
    return " and ".join((found, *known))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _passed_on(query: exp.Select, columns: Columns) -> dict[str, str]:
    """Source's column to own column, of a part that is `select * from t` and no more."""
    froms = list(sources(query).values())
    if len(froms) != 1 or any(query.args.get(name) for name in (*CLAUSES, "where", "joins")):
        return {}
    passed = {item.unalias().name: item.alias_or_name for item in query.expressions
              if isinstance(item.unalias(), exp.Column)}  # fmt: skip
    whole = len(passed) == len(query.expressions) and set(passed) == set(columns[froms[0]])
    return passed if whole else {}


def _ungrouped(
    query: exp.Select, given: Given, aggregates: Collection[str]
) -> tuple[exp.Select, dict[str, str], exp.Select]:
    """The SELECT with a row for each of its sources' rows; the columns to compare; what is asked.

    The last is the SELECT as it was, without the columns and left joins that nobody needs.
    """
    group = query.args.get("group")
    if group and group.find(*MANY_WAYS):
        raise Untraceable("it groups in several ways at once")
    made = [_made_of_many(item, aggregates) for item in query.expressions]
    if not group and (query.args.get("having") or "group" in made):
        raise Untraceable("each row is made of all rows before it")
    asked, select = query.copy(), query.copy()
    wanted = [item for item in asked.expressions if item.alias_or_name in given.needed]
    asked.set("expressions", wanted)
    if not group:
        select.set("joins", _joins_needed(asked))
    there, compared = {"", *sources(select)}, {}
    for number, (item, many) in enumerate(zip(query.expressions, made, strict=True)):
        if many or any(each.table not in there for each in item.find_all(exp.Column)):
            select.expressions[number].replace(exp.Null())
        elif item.alias_or_name in given.types:
            compared[item.alias_or_name] = f"_c{number}"
    for clause in CLAUSES:
        select.set(clause, None)
    return select, compared, asked


def _made_of_many(item: exp.Expr, aggregates: Collection[str]) -> str:
    """Whether a column is made of a "group", of a "window", or of one row only ("")."""
    kinds = set()
    for node in item.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(node, exp.Window):
            kinds.add("window")
        elif isinstance(node, exp.Func) and (
            isinstance(node, exp.AggFunc) or node.name.lower() in aggregates
        ):
            over = node.parent.parent if isinstance(node.parent, exp.Filter) else node.parent
            kinds.add("window" if isinstance(over, exp.Window) else "group")
    return "group" if "group" in kinds else "window" if kinds else ""


def _joins_needed(asked: exp.Select) -> list[exp.Join]:
    """Leave out left joins without a column that is asked for; returns copies of the others."""
    for join in reversed(asked.args.get("joins") or ()):
        every = asked.args["joins"]
        if join.side == "LEFT" and not join.method:
            asked.set("joins", [other for other in every if other is not join])
            if any(each.table == join.alias_or_name for each in asked.find_all(exp.Column)):
                asked.set("joins", every)
    return [join.copy() for join in asked.args.get("joins") or ()]


def _tracing(select: exp.Select, among: str, alias: str, columns: Sequence[str]) -> str:
    """The SELECT with the columns of a source, of those rows that became the given ones."""
    own = [f"_c{number}" for number in range(len(select.expressions))]
    marks = [f"_s{number}" for number in range(len(columns))]
    for name, mark in zip(columns, marks, strict=True):
        select.append("expressions", exp.column(name, alias, quoted=True).as_(mark))
    wanted = ", ".join(
        f"{mark} as {quoted(name)}" for name, mark in zip(columns, marks, strict=True)
    )
    # where an outer join has found no row, there is none
    return (
        f"select {wanted} from ({select.sql(dialect='postgres')}) as x ({', '.join(own + marks)}) "  # noqa: S608
        f"where num_nonnulls({', '.join(marks)}) > 0 and {among}"
    )
