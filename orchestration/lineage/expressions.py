"""Where the value of an expression comes from: of whatever stands in it, with few exceptions."""

from sqlglot import exp

from orchestration.lineage.origins import Origin, Relation, combine
from orchestration.lineage.scope import Scope, folded

QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
CASELESS = (exp.Anonymous, exp.Var)  # what they are called is written in small letters or large
# The columns of functions that return rows of more than one value, or of one that has a name.
OUT_COLUMNS: dict[str, tuple[str, ...]] = {"ts_stat": ("word", "ndoc", "nentry")}
for _kind in ("json", "jsonb"):
    for _text in ("", "_text"):
        OUT_COLUMNS[f"{_kind}_each{_text}"] = ("key", "value")
        OUT_COLUMNS[f"{_kind}_array_elements{_text}"] = ("value",)


def origin_of(node: exp.Expr, scope: Scope) -> Origin:  # noqa: PLR0911 - a table
    """The origin of an expression's value.

    A window's partition and order, the condition of a CASE and the FILTER of an aggregate count as
    what it is computed from: without them there would be another value, not other rows.
    """
    match node:
        case exp.Column(this=exp.Star()):
            return _row(node, scope)
        case exp.Column():
            return scope.column(folded(node.this), folded(node.args.get("table")))
        case exp.Star():
            return scope.count()
        case exp.Count(this=exp.Column() as counted) if row := _counted(counted, scope):
            return row.count()
        case exp.Exists() if isinstance(node.this, QUERIES):
            return _query(node.this, scope).existence()
        case _ if isinstance(node, QUERIES):
            return _query(node, scope).value()
        case exp.Dot() if (field := _field(node, scope)) is not None:
            return field
        case exp.Paren() | exp.Alias():
            return origin_of(node.this, scope)
        case exp.Identifier():
            return Origin(shape=hash(folded(node)))
    return _made_of_parts(node, scope)


def _query(node: exp.Expr, scope: Scope) -> Relation:
    return scope.reading.query(node, scope, scope.ctes)


def _made_of_parts(node: exp.Expr, scope: Scope) -> Origin:
    made: list[object] = [type(node).__name__]
    parts = []
    for key, value in node.args.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, exp.Expr):
                parts.append(origin_of(each, scope))
                made.append(key)
            elif each is not None and each is not False:
                made.append((key, str(each).lower() if isinstance(node, CASELESS) else str(each)))
    if isinstance(node, exp.Window) and (
        named := scope.windows.get(folded(node.args.get("alias")))
    ):
        parts.append(origin_of(named, scope))
    return combine(parts, *made)


def _row(node: exp.Column, scope: Scope) -> Origin:
    """`t.*` as a value."""
    found = scope.source(folded(node.args["table"]))
    return found.whole() if found else scope.column("*", folded(node.args["table"]))


def _counted(node: exp.Column, scope: Scope) -> Relation | None:
    """The table whose rows are counted by `count(t)` or `count(t.*)`."""
    if isinstance(node.this, exp.Star):
        return scope.source(folded(node.args["table"]))
    return None if node.args.get("table") else scope.row(folded(node.this))


def _field(node: exp.Dot, scope: Scope) -> Origin | None:
    """`(t).x` is a column of the table t, and `(j).x` a part of the column j."""
    inner = node.this.unnest()
    if not isinstance(inner, exp.Column) or inner.args.get("table"):
        return None
    row = scope.row(folded(inner.this))
    found = row.find(folded(node.expression)) if row else []
    return found[0] if len(found) == 1 else None


def name_of(node: exp.Expr) -> str:  # noqa: PLR0911 - a table
    """What Postgres calls a column that was given no name."""
    match node:
        case exp.Alias():
            return folded(node.args["alias"])
        case exp.Column() | exp.Identifier():
            return folded(node.this if isinstance(node, exp.Column) else node)
        case exp.Dot():
            return folded(node.expression)
        case exp.Cast():
            inner = name_of(node.this)
            return inner if inner != "?column?" else node.to.sql("postgres").lower()
        case exp.Case():
            inner = name_of(node.args["default"]) if node.args.get("default") else "case"
            return inner if inner != "?column?" else "case"
        case exp.Subquery() | exp.Select():
            selects = node.selects
            return name_of(selects[0]) if selects else "?column?"
        case exp.Anonymous():
            return str(node.this).lower()
        case exp.Paren() | exp.Bracket() | exp.Window() | exp.Filter() | exp.WithinGroup():
            return name_of(node.this)
        case exp.And() | exp.Or():
            return "?column?"
        case exp.Func():
            return _function_name(node)
    return "?column?"


def _function_name(node: exp.Func) -> str:
    written = node.sql("postgres")
    name = written.partition("(")[0].partition("[")[0].strip().lower()
    return name if name.replace("_", "").isalnum() else "?column?"
