"""A model's SQL taken apart: each CTE, and each subquery that stands in FROM, becomes a part.

A part reads other parts and tables only, so the rows behind a row of it can be asked for one step
at a time. Names are resolved by the rules of Postgres: a CTE is seen by what follows it, and a name
without quotes is in small letters.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

Resolve = Callable[[str, str], str]  # schema and table -> the name of the view that stands for it
Views = Mapping[str, str]  # name of a CTE -> name of its view


class Untraceable(Exception):
    """SQL that cannot be walked back; says which construct."""


@dataclass(frozen=True)
class Source:
    """A table of a FROM: under which alias, and which view stands for it."""

    alias: str
    view: str


@dataclass
class Part:
    """One query; `view` is its name in the session. `columns` are known once it is there."""

    view: str
    query: exp.Query
    sources: list[Source] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    name: str = ""  # of the CTE

    def sql(self) -> str:
        """The query, for Postgres."""
        return self.query.sql(dialect="postgres")


def take_apart(sql: str, resolve: Resolve, new_name: Callable[[], str]) -> list[Part]:
    """The parts of a query, each after those that it reads; the last one is the whole.

    Args:
        sql: what dbt has compiled.
        resolve: knows the tables that are no CTE; may raise Untraceable.
        new_name: gives each part a name.

    Raises:
        Untraceable: it does not parse, or is recursive.
    """
    try:
        query = sqlglot.parse_one(sql, dialect="postgres")
    except SqlglotError as error:
        raise Untraceable(f"its SQL cannot be parsed ({str(error).splitlines()[0]})") from error
    if not isinstance(query, exp.Query):
        raise Untraceable("it is no query")
    dissection = _Dissection(resolve, new_name)
    dissection.add(query, {})
    return dissection.parts


class _Dissection:
    def __init__(self, resolve: Resolve, new_name: Callable[[], str]) -> None:
        self.resolve, self.new_name = resolve, new_name
        self.parts: list[Part] = []

    def add(self, query: exp.Query, views: Views) -> str:
        """Take a query apart; returns the name of its view."""
        views = self._with_ctes(query, views)
        if isinstance(query, exp.Subquery):
            if query.args.get("limit") or query.args.get("offset"):
                raise Untraceable("it limits what stands in brackets")
            return self.add(query.this, views)
        part = Part("", query)
        if isinstance(query, exp.SetOperation):
            for side in ("this", "expression"):
                view = self.add(query.args[side], views)
                query.set(side, exp.select("*").from_(_table(view)))
                part.sources.append(Source("", view))
        elif isinstance(query, exp.Select):
            for item in _from(query):
                if source := self._source(item, views):
                    part.sources.append(source)
        else:
            raise Untraceable(f"it holds {query.key.upper()}")
        self._rename(query, views)
        part.view = self.new_name()
        self.parts.append(part)
        return part.view

    def _with_ctes(self, query: exp.Query, views: Views) -> Views:
        with_ = query.args.get("with_")
        if with_ is None:
            return views
        if with_.args.get("recursive"):
            raise Untraceable("it is recursive")
        found = dict(views)
        for cte in with_.expressions:
            alias = cte.args["alias"]
            view = self.add(cte.this, found)
            self.parts[-1].name = alias.name
            if columns := alias.args.get("columns"):
                view = self._renamed(view, columns)
            found[folded(alias.this)] = view
        query.set("with_", None)
        return found

    def _renamed(self, view: str, columns: list[exp.Identifier]) -> str:
        """A part that gives the first columns of another one new names: `with t (a, b) as ...`."""
        alias = exp.TableAlias(this=exp.to_identifier("t"), columns=columns)
        table = _table(view)
        table.set("alias", alias)
        self.parts.append(Part(self.new_name(), exp.select("*").from_(table), [Source("t", view)]))
        return self.parts[-1].view

    def _source(self, item: exp.Expr, views: Views) -> Source | None:
        """The view behind a table or subquery of FROM, which it then names; None for a function."""
        if isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query):
            alias = item.args.get("alias")
            item.set("alias", None)
            view = self.add(item, views)
        elif isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            alias = item.args.get("alias") or exp.TableAlias(this=item.this.copy())
            view = self._view_of(item, views)
        else:
            return None
        table = _table(view)
        table.set("alias", alias)
        for modifier in ("joins", "laterals"):
            table.set(modifier, item.args.get(modifier))
        item.replace(table)
        return Source(folded(alias.this) if alias else view, view)

    def _view_of(self, table: exp.Table, views: Views) -> str:
        name = folded(table.this)
        if not table.db and name in views:
            return views[name]
        return self.resolve(folded(table.args["db"]) if table.db else "public", name)

    def _rename(self, query: exp.Query, views: Views) -> None:
        """Name the views in what is not taken apart: subqueries of WHERE and columns, LATERAL."""
        for table in list(query.find_all(exp.Table)):
            if not isinstance(table.this, exp.Identifier) or "view" in table.meta:
                continue
            if not table.db and table.name in _own_ctes(table, query):
                continue
            if table.args.get("alias") is None:
                table.set("alias", exp.TableAlias(this=table.this.copy()))
            view = _table(self._view_of(table, views))
            view.set("alias", table.args["alias"])
            table.replace(view)


def _from(query: exp.Select) -> Iterator[exp.Expr]:
    """What stands in FROM, the parts of bracketed joins too."""
    waiting = [query.args["from_"].this] if query.args.get("from_") else []
    waiting += [join.this for join in query.args.get("joins") or ()]
    for item in waiting:
        yield item
        for join in item.args.get("joins") or ():
            yield join.this


def _own_ctes(table: exp.Table, query: exp.Query) -> set[str]:
    """The CTEs of the subqueries between a table and the query it stands in."""
    found: set[str] = set()
    node: exp.Expr | None = table.parent
    while node is not None and node is not query:
        with_ = node.args.get("with_")
        found |= {cte.alias for cte in with_.expressions} if with_ else set()
        node = node.parent
    return found


def _table(view: str) -> exp.Table:
    table = exp.Table(this=exp.to_identifier(view, quoted=True))
    table.meta["view"] = True
    return table


def folded(name: exp.Expr | None) -> str:
    """The name of an identifier, or of a column of a SELECT, as Postgres has it."""
    if isinstance(name, exp.Alias | exp.Column):
        return folded(name.args["alias"] if isinstance(name, exp.Alias) else name.this)
    if isinstance(name, exp.Identifier):
        return str(name.this) if name.args.get("quoted") else str(name.this).lower()
    return ""
