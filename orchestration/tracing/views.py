"""The models behind a mart as temporary views of a session, part by part.

Views and tables of staging and intermediate are read as their SQL, as of the loads that the marts
were built from; marts, seeds, snapshots and incremental models as they are stored.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from orchestration.artifacts import MARTS
from orchestration.lineage.nodes import key_of
from orchestration.publication.versions import LIVE, Version
from orchestration.tracing.queries import Untraceable, parsed, quoted, tables, take_apart

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

LOADS = "_dlt_loads"
MADE_ANEW = {"table", "view"}  # by its SQL alone: an incremental model is not


@dataclass(frozen=True)
class Place:
    """A view of the session, for a relation or for a part of one.

    Without a query nothing is known of what is behind it.
    """

    view: str
    columns: tuple[str, ...]
    relation: str
    part: str
    query: exp.Query | None


@dataclass
class Views:
    """The views that have been made, in the order in which they read each other.

    `masked` are marts with masked columns, whose rows stand in a schema of their own. `notes` tells
    which models cannot be followed further, and why.
    """

    cursor: "cursor"
    version: Version
    masked: dict[str, list[str]]
    manifest: dict[str, Any]
    places: dict[str, Place] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _schema: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Models by their relation."""
        nodes = self.manifest["nodes"].values()
        models = [node for node in nodes if node["resource_type"] == "model"]
        self.models = {_published(key_of(node)): node for node in models}

    @property
    def marts(self) -> list[str]:
        """Their names, without the schema."""
        split = (name.rpartition(".") for name in self.models)
        return [table for schema, _, table in split if schema == LIVE]

    def stored(self, name: str) -> tuple[str, str]:
        """Schema and table in which the rows of a relation stand."""
        schema, _, table = name.rpartition(".")
        clear = schema == LIVE and self.masked.get(table)
        return (self.version.clear_schema if clear else schema), table

    def of(self, called: str) -> str:
        """The view of what SQL calls so; when it is first asked for, all behind it is made."""
        name, (schema, _, table) = _published(called), called.rpartition(".")
        if name not in self._names:
            self._names[name] = self._of_model(name) or self._of_table(name)
        view = self._names[name]
        self._schema.setdefault(schema, {})[table] = dict.fromkeys(self.places[view].columns, "")
        return view

    def _of_model(self, name: str) -> str | None:
        import psycopg2

        model, before = self.models.get(name), None
        if model is None:
            return None
        try:
            if (kind := model["config"]["materialized"]) not in MADE_ANEW:
                raise Untraceable(f"it is {kind}")
            query = parsed(model.get("compiled_code") or "")
            for table in tables(query):
                if table.db:
                    self.of(f"{table.db}.{table.name}")
            before = dict(self.places)
            self.cursor.execute("savepoint model")
            return self._of_query(query, name)
        except (Untraceable, psycopg2.Error) as error:
            if before is not None:
                self.cursor.execute("rollback to savepoint model")
                self.places = before
            self.notes.append(f"{name}: {str(error).splitlines()[0]}; what is behind is not shown")
            return None

    def _of_query(self, query: exp.Query, name: str) -> str:
        views: dict[str, str] = {}
        for part, sql in take_apart(query, self._schema):
            for table in tables(sql):
                view = self.of(f"{table.db}.{table.name}") if table.db else views[table.name]
                table.set("this", exp.to_identifier(view))
                table.set("db", None)
                table.set("catalog", None)
            if not part and name.startswith(f"{LIVE}."):
                return self._of_table(name, sql)
            views[part] = self._create(sql.sql(dialect="postgres"), name, part, sql)
        return views[""]

    def _of_table(self, name: str, query: exp.Query | None = None) -> str:
        schema, table = self.stored(name)
        sql = f"select * from {quoted(schema)}.{quoted(table)}"  # noqa: S608 - names only
        if table == LOADS and self.version.watermark:
            sql += self.cursor.mogrify(" where load_id <= %s", (self.version.watermark,)).decode()
        return self._create(sql, name, "", query)

    def _create(self, sql: str, name: str, part: str, query: exp.Query | None) -> str:
        view = f"_ecluse_{len(self.places)}"
        self.cursor.execute(f"create temporary view {view} as {sql}")
        self.cursor.execute(f"select * from {view} limit 0")  # noqa: S608 - a name
        columns = tuple(column.name for column in self.cursor.description or ())
        self.places[view] = Place(view, columns, name, part, query)
        return view


def _published(name: str) -> str:
    """A mart by the name that it is published under; a deployment reads some where they are."""
    schema, _, table = name.rpartition(".")
    return f"{LIVE}.{table}" if schema in MARTS else name
