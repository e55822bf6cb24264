"""What stands in a FROM: tables, subqueries, functions, and their joins."""

from sqlglot import exp

from orchestration.lineage.expressions import OUT_COLUMNS, QUERIES, name_of, origin_of
from orchestration.lineage.origins import Relation, combine, table
from orchestration.lineage.scope import Columns, Schema, Scope, folded

# Functions whose columns the query itself has to say, in an alias or a type.
RECORDS = {f"{kind}_{what}" for kind in ("json", "jsonb") for what in (
    "to_record", "to_recordset", "populate_record", "populate_recordset")}  # fmt: skip

# Functions that return one value a row; others that sqlglot knows by name do so too.
SCALARS = {"generate_subscripts", "json_object_keys", "jsonb_object_keys", "jsonb_path_query",
           "regexp_matches", "regexp_split_to_table", "string_to_table"}  # fmt: skip


def add_tables(first: exp.Expr, joins: list[exp.Expr], scope: Scope) -> None:
    """Put a FROM and its joins into the scope."""
    scope.parts.append(_added(first, scope))
    for join in joins:
        if not isinstance(join, exp.Join):  # LATERAL after a comma
            scope.parts.append(_added(join, scope))
            continue
        side, using, on = (join.args.get(name) for name in ("side", "using", "on"))
        natural = join.args.get("method") == "NATURAL"
        comma = not (side or using or on or natural or join.args.get("kind"))
        columns = _added(join.this, scope)
        if comma:
            scope.parts.append(columns)
        else:
            names = None if natural else [folded(each) for each in using or ()]
            scope.join(columns, names, str(side or "").lower())
        if on:
            scope.depends(origin_of(on, scope), str(side))


def names_of(node: exp.Expr) -> list[str]:
    """The column names of an alias such as `t(a, b)`."""
    alias = node.args.get("alias")
    return [folded(each) for each in (alias.args.get("columns") or ())] if alias else []


def _added(node: exp.Expr, scope: Scope) -> Columns:
    """Add one item of a FROM to the scope; returns what `*` shows of it."""
    alias = node.args.get("alias")
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        if not alias:
            return _nested(node.this, scope)
        inner = Scope(scope.reading, scope.outer, scope.ctes)
        found = Relation(_nested(node.this, inner), inner.rows, inner.shape)
    elif isinstance(node, exp.Table) and node.args.get("joins"):
        return _nested(node, scope)
    else:
        found = _relation(node, scope)
    name = folded(alias) if alias and alias.this else _own_name(node, scope)
    found = found.renamed(names_of(node))
    scope.add(name, found)
    return found.columns


def _nested(node: exp.Table, scope: Scope) -> Columns:
    """Joins in parentheses: their tables are seen from outside."""
    before, scope.parts = scope.parts, []
    joins, bare = node.args.get("joins") or [], node.copy()
    bare.set("joins", None)
    add_tables(bare, joins, scope)
    columns, scope.parts = scope.star(), before
    return columns


def _relation(node: exp.Expr, scope: Scope) -> Relation:  # noqa: PLR0911 - a table
    match node:
        case exp.Lateral() if isinstance(node.this, QUERIES):
            return scope.reading.query(node.this, scope, scope.ctes)
        case exp.Lateral():
            return _function(node.this, node, scope)
        case exp.Unnest():
            return _unnested(node, scope)
        case exp.Table() if node.args.get("rows_from"):
            parts = [_relation(each, scope) for each in node.args["rows_from"]]
            rows = frozenset[tuple[str, str | None]]().union(*(part.rows for part in parts))
            columns = [column for part in parts for column in part.columns]
            return Relation(columns, rows, hash(tuple(part.shape for part in parts)))
        case exp.Table(this=exp.Identifier()):
            return _table(node, scope)
        case exp.Table():
            return _function(node.this, node, scope)
        case _ if isinstance(node, QUERIES):
            return scope.reading.query(node, scope.outer, scope.ctes)
    scope.reading.problem(f"{node.key} in a FROM is not known")
    return Relation()


def _table(node: exp.Table, scope: Scope) -> Relation:
    name, schema = folded(node.this), folded(node.args.get("db"))
    if not schema and name in scope.ctes:
        return scope.ctes[name]
    key = find_table(f"{schema}.{name}" if schema else name, scope.reading.schema)
    return table(key, scope.reading.schema.get(key))


def find_table(name: str, schema: Schema) -> str:
    """The table of that name in the schema; a name without a schema may stand for just one."""
    if name in schema or "." in name:
        return name
    found = [key for key in schema if key.endswith(f".{name}")]
    return found[0] if len(found) == 1 else name


def _function(function: exp.Expr, item: exp.Expr, scope: Scope) -> Relation:
    """A function that returns rows: all of its columns are made of its arguments."""
    origin = origin_of(function, scope)
    columns = [(name, origin) for name in _function_columns(function, item, scope.reading.schema)]
    return Relation(columns, origin.all(), origin.shape, lambda name: origin)


def _function_columns(function: exp.Expr, item: exp.Expr, schema: Schema) -> list[str]:
    """The columns as far as the query or Postgres itself names them."""
    called, alias = name_of(function), item.args.get("alias")
    if definitions := function.args.get("columns") or function.args.get("schema"):
        listed = definitions.expressions if isinstance(definitions, exp.Expr) else definitions
        return [folded(each) for each in listed]
    if called in RECORDS:
        typed = function.find(exp.Cast)  # null::some_table
        kind = typed.to.args.get("kind") if typed else None
        return list(schema.get(find_table(kind.sql().lower(), schema), ())) if kind else []
    if called in OUT_COLUMNS:
        return list(OUT_COLUMNS[called])
    if isinstance(function, exp.Anonymous) and called not in SCALARS:
        return []  # somebody's own: it may return rows of a table
    return [folded(alias) if alias and alias.this else called]


def _unnested(node: exp.Unnest, scope: Scope) -> Relation:
    """`unnest(a, b)` has a column for each array."""
    origins = [origin_of(each, scope) for each in node.expressions]
    all_of_them = combine(origins, "unnest")
    alias = node.args.get("alias")
    name = folded(alias) if alias and alias.this else "unnest"
    columns = [(name, combine([each], "unnest")) for each in origins]
    if isinstance(offset := node.args.get("offset"), exp.Expr):
        columns = list(zip([*names_of(node), *[name] * len(columns)],
                           (origin for _, origin in columns), strict=False))  # fmt: skip
        columns.append((folded(offset), all_of_them))
    return Relation(columns, all_of_them.all(), all_of_them.shape)


def _own_name(node: exp.Expr, scope: Scope) -> str:
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        return folded(node.this)
    if isinstance(node, exp.Unnest):
        return "unnest"
    if isinstance(node, exp.Subquery | exp.Values):
        return f"?{len(scope.sources)}"  # nobody can call it by a name
    return name_of(node.this)
