"""Which columns a query's columns come from, read off its SQL by the rules of Postgres.

The query is walked from the inside out, once: a table is a relation whose columns know where they
come from, and each clause makes another relation of it. sqlglot only parses; names are resolved
here, as Postgres does it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from orchestration.lineage.expressions import OUT_COLUMNS, QUERIES, name_of, origin_of
from orchestration.lineage.origins import NOTHING, Origin, Refs, Relation, combine, stacked
from orchestration.lineage.scope import Columns, Ctes, Reading, Schema, Scope, folded
from orchestration.lineage.tables import add_tables, names_of

EPHEMERAL = "__dbt__cte__"  # how dbt writes a model that is no table: here a table all the same
GROUPINGS = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple, exp.Paren, exp.Group)


@dataclass
class Derived:
    """The columns of a query's result, and what its rows depend on."""

    columns: dict[str, Origin] = field(default_factory=dict)
    rows: Refs = NOTHING
    shape: int = 0
    problems: tuple[str, ...] = ()  # what could not be told, a few words each


def derive(sql: str, schema: Schema) -> Derived:
    """Read one query.

    Args:
        sql: a Postgres query.
        schema: the columns of the tables that it reads. Of a table that is not in it, columns are
            known by their mention only. dbt's ephemeral models may stand in it as `__dbt__cte__x`.
    """
    reading, unread = Reading(schema, _query), hash(" ".join(sql.split()))
    try:
        found = reading.query(sqlglot.parse_one(sql, dialect="postgres"), None, {})
    except SqlglotError as error:
        said = str(error).partition(". Line")[0].splitlines()[0]
        return Derived(shape=unread, problems=(f"the SQL cannot be parsed: {said}",))
    except Exception as error:
        told = f"the SQL cannot be read: {type(error).__name__}: {error}"
        return Derived(shape=unread, problems=(told,))
    columns: dict[str, Origin] = {}
    for name, one in found.columns:
        origin = replace(one, indirect=one.indirect - one.direct)
        columns[name] = combine([columns[name], origin]) if name in columns else origin
    return Derived(columns, found.rows, found.shape, tuple(dict.fromkeys(reading.problems)))


def _query(reading: Reading, node: exp.Expr, outer: Scope | None, ctes: Ctes) -> Relation:
    scope = Scope(reading, outer, dict(ctes))
    _add_ctes(node, scope)
    match node:
        case exp.Select():
            return _select(node, scope)
        case exp.SetOperation():
            left = reading.query(node.left, outer, scope.ctes)
            right = reading.query(node.right, outer, scope.ctes)
            found = stacked(left, right, node.key, bool(node.args.get("distinct")))
        case exp.Values():
            found = _values(node, scope)
        case exp.Subquery() if isinstance(node.this, QUERIES):
            found = reading.query(node.this, outer, scope.ctes)
        case _:
            reading.problem(f"{node.key} is no query")
            return Relation()
    return _ordered(node, found, scope)


def _add_ctes(node: exp.Expr, scope: Scope) -> None:
    if not (clause := node.args.get("with_")):
        return
    for cte in clause.expressions:
        name, names = folded(cte.args["alias"]), names_of(cte)
        if name.startswith(EPHEMERAL) and name in scope.reading.schema:
            continue
        if clause.recursive and isinstance(cte.this, exp.SetOperation):
            found = _recursive(cte.this, name, names, scope)
            found.columns += _search_columns(clause, found)
        else:
            found = scope.reading.query(cte.this, scope.outer, scope.ctes).renamed(names)
        scope.ctes[name] = found


def _recursive(node: exp.SetOperation, name: str, names: list[str], scope: Scope) -> Relation:
    """Read the second part again and again, until the columns have no more origins."""
    inner = Scope(scope.reading, scope.outer, dict(scope.ctes))
    _add_ctes(node, inner)
    known = first = scope.reading.query(node.left, scope.outer, inner.ctes).renamed(names)
    while True:
        inner.ctes[name] = known
        again = scope.reading.query(node.right, scope.outer, inner.ctes)
        found = stacked(first, again, "union", bool(node.args.get("distinct")))
        settled = replace(first, rows=found.rows, columns=[
            (column, replace(origin, shape=before.shape))
            for (column, origin), (_, before) in zip(found.columns, first.columns, strict=False)
        ])  # fmt: skip
        if settled == known:
            return found
        known = settled


def _search_columns(clause: exp.With, found: Relation) -> Columns:
    """The columns that SEARCH and CYCLE add to a recursive query."""
    if not (search := clause.args.get("search")):
        return []
    added = [search.args.get(name) for name in ("expression", "using")]
    origin = combine(found.find(folded(search.this)), "search")
    return [(folded(each), origin) for each in added if isinstance(each, exp.Identifier)]


def _values(node: exp.Values, scope: Scope) -> Relation:
    rows = [
        each.expressions if isinstance(each, exp.Tuple) else [each] for each in node.expressions
    ]
    cells = [[origin_of(cell, scope) for cell in row] for row in rows]
    columns = [
        (f"column{number}", combine(column, "values"))
        for number, column in enumerate(zip(*cells, strict=False), start=1)
    ]
    return Relation(columns, shape=hash(("values", len(rows))))


def _select(node: exp.Select, scope: Scope) -> Relation:
    if tables := node.args.get("from_"):
        joins = [*(node.args.get("laterals") or ()), *(node.args.get("joins") or ())]
        add_tables(tables.this, joins, scope)
    scope.windows = {folded(each.this): each for each in node.args.get("windows") or ()}
    columns = [column for each in node.expressions for column in _projected(each, scope)]
    if where := node.args.get("where"):
        scope.depends(origin_of(where.this, scope), "where")
    if group := node.args.get("group"):
        scope.aliases = dict(columns)
        for key in _keys(group):
            scope.depends(_numbered(key, columns) or origin_of(key, scope), "group")
        scope.aliases = {}
    if having := node.args.get("having"):
        scope.depends(origin_of(having.this, scope), "having")
    if distinct := node.args.get("distinct"):
        on = distinct.args.get("on")
        keys = [_sort_key(key, columns, scope) for key in _keys(on)] if on else []
        for one in keys or (origin for _, origin in columns):
            scope.depends(one, "distinct")
    first_of_each = bool(distinct and distinct.args.get("on"))
    return _ordered(node, Relation(columns, scope.rows, scope.shape), scope, first_of_each)


def _projected(node: exp.Expr, scope: Scope) -> Columns:
    """The columns that one item of a SELECT list makes."""
    star = node.this if isinstance(node, exp.Column) else node
    if isinstance(star, exp.Star):
        return _starred(folded(node.args["table"]) if star is not node else "", scope)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
        return _fields(node.this.unnest(), scope)
    return [(name_of(node), origin_of(node, scope))]


def _starred(name: str, scope: Scope) -> Columns:
    """What `*` or `t.*` stands for."""
    one = scope.source(name) if name else None
    found = [one] if one else list(scope.sources.values())
    if not found or (name and not one):
        scope.reading.problem(f"{name or '*'} is no table of the FROM")
        return []
    if any(each.other and not each.columns for each in found):
        scope.reading.problem(f"nobody knows which columns {name or '*'} stands for")
    return one.columns if one else scope.star()


def _fields(node: exp.Expr, scope: Scope) -> Columns:
    """What `(t).*` and `(f(x)).*` stand for."""
    row = scope.row(folded(node.this)) if isinstance(node, exp.Column) else None
    if row and row.columns:
        return row.columns
    names = OUT_COLUMNS.get(name_of(node), ())
    if not names:
        scope.reading.problem(f"nobody knows which columns ({node.sql('postgres')}).* stands for")
    origin = origin_of(node, scope)
    return [(name, origin) for name in names]


def _keys(node: exp.Expr) -> Iterator[exp.Expr]:
    """What is grouped by, whatever it is wrapped in."""
    if not isinstance(node, GROUPINGS):
        yield node
        return
    for value in node.args.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, exp.Expr):
                yield from _keys(each)


def _numbered(node: exp.Expr, columns: Columns) -> Origin | None:
    """The column that a number in GROUP BY or ORDER BY stands for."""
    if not (isinstance(node, exp.Literal) and node.is_int):
        return None
    place = int(node.this) - 1
    return columns[place][1] if place < len(columns) else None


def _sort_key(node: exp.Expr, columns: Columns, scope: Scope) -> Origin:
    """In ORDER BY a bare name means a column of the result first."""
    bare = isinstance(node, exp.Column) and not node.args.get("table")
    named = dict(columns).get(folded(node.this)) if bare else None
    return _numbered(node, columns) or named or origin_of(node, scope)


def _ordered(
    node: exp.Expr, found: Relation, scope: Scope, first_of_each: bool = False
) -> Relation:
    """ORDER BY and LIMIT: which rows come first, and so which of them are there at all."""
    order = node.args.get("order")
    ordered = order.expressions if order else []
    limits = [node.args[name] for name in ("limit", "offset") if node.args.get(name)]
    keys = [_sort_key(each.this, found.columns, scope) for each in ordered]
    keys += [origin_of(each, scope) for each in limits]
    made = combine(keys, *(str(each.args.get("desc")) for each in ordered))
    decides = bool(limits or first_of_each) and keys
    shape = hash((found.shape, made.shape)) if decides else found.shape
    return replace(found, rows=found.rows | made.all(), shape=shape)
