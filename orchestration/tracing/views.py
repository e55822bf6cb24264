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
        """Models by what SQL calls them."""
        nodes = self.manifest["nodes"].values()
        self.models = {key_of(node): node for node in nodes if node["resource_type"] == "model"}

    @property
    def marts(self) -> dict[str, str]:
        """Name of a mart to what SQL calls it."""
        split = (name.rpartition(".") for name in self.models)
        return {table: f"{schema}.{table}" for schema, _, table in split if schema in MARTS}

    def stored(self, name: str) -> tuple[str, str]:
        """Schema and table in which the rows of a relation stand."""
        schema, _, table = name.rpartition(".")
        if schema not in MARTS:
            return schema, table
        return (self.version.clear_schema if self.masked.get(table) else LIVE), table

    def of(self, name: str) -> str:
        """The view of what SQL calls `name`; when it is first asked for, all behind it is made."""
        if name not in self._names:
            self._names[name] = view = self._of_model(name) or self._of_table(name)
            schema, _, table = name.rpartition(".")
            columns = dict.fromkeys(self.places[view].columns, "text")
            self._schema.setdefault(schema, {})[table] = columns
        return self._names[name]

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
            if not part and name in self.marts.values():
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
        schema, _, table = name.rpartition(".")
        relation = f"{LIVE}.{table}" if schema in MARTS else name
        self.places[view] = Place(view, columns, relation, part, query)
        return view
