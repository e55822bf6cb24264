"""The models behind a mart as temporary views of a session, part by part.

Views and tables of staging and intermediate are read as their SQL, as of the loads that the marts
were built from; marts, seeds, snapshots and incremental models as they are stored.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.publication.versions import LIVE
from orchestration.tracing.behind import quoted
from orchestration.tracing.parts import Part, Untraceable, take_apart

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.tracing.models import Model, Models

LOADS = "_dlt_loads"


@dataclass
class Place:
    """A view of the session. Without a part it is a table that is read as it is stored."""

    view: str
    columns: tuple[str, ...]
    of: str  # the model or table, as schema.name
    part: Part | None = None
    made_by: str | None = None  # the view of the SQL behind a stored table
    whole: bool = False  # all of the model or table, and no part of it


@dataclass
class Views:
    """The views that have been made, in the order in which they read each other.

    `notes` tells which models cannot be followed further, and why.
    """

    cursor: "cursor"
    models: "Models"
    as_of: str | None  # the newest load that may be read
    places: dict[str, Place] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _count: int = 0

    def of_mart(self, name: str) -> str:
        """The view of a mart; when it is first asked for, all behind it is made too."""
        return self.of(LIVE, name)

    def of(self, schema: str, name: str) -> str:
        """The view of a relation, as the SQL of a model calls it."""
        model = self.models.find(schema, name)
        at = (model.schema, model.name) if model else (schema, name)
        if at not in self._names:
            self._names[at] = self._of_model(model) if model else self._stored(*at, ".".join(at))
        return self._names[at]

    def _of_model(self, model: "Model") -> str:
        import psycopg2

        name = f"{model.schema}.{model.name}"
        for relation in model.reads:  # before the savepoint: they stay if this model fails
            self.of(*relation)
        before = dict(self.places)
        self.cursor.execute("savepoint model")
        top = None
        try:
            top = self._made(model.sql, name) if model.sql else None
        except (Untraceable, psycopg2.Error) as error:
            self.cursor.execute("rollback to savepoint model")
            self.places = before
            said = str(error).splitlines()[0]
            self.notes.append(f"{name}: {said}; what is behind it is not shown")
        if top and not model.stored:
            self.places[top].whole = True
            return top
        return self._stored(*(model.stored or (model.schema, model.name)), name, top)

    def _made(self, sql: str, of: str) -> str:
        parts = take_apart(sql, self.of, self._new_name)
        for part in parts:
            part.columns = self._create(part.view, part.sql())
            self.places[part.view] = Place(part.view, part.columns, of, part)
        return parts[-1].view

    def _stored(self, schema: str, table: str, of: str, made_by: str | None = None) -> str:
        view = self._new_name()
        sql = f"select * from {quoted(schema)}.{quoted(table)}"  # noqa: S608 - names only
        if table == LOADS and self.as_of:
            sql = self.cursor.mogrify(f"{sql} where load_id <= %s", (self.as_of,)).decode()
        columns = self._create(view, sql)
        self.places[view] = Place(view, columns, of, None, made_by, whole=True)
        return view

    def _create(self, view: str, sql: str) -> tuple[str, ...]:
        """Make a view. Of columns of one name, which only `*` can mean, the later get another."""
        self.cursor.execute(f"select * from ({sql}) as t limit 0")  # noqa: S608 - dbt's own SQL
        names: list[str] = []
        for column in self.cursor.description or ():
            names.append(column.name if column.name not in names else f"{column.name} {len(names)}")
        shown = ", ".join(map(quoted, names))
        self.cursor.execute(f"create temporary view {quoted(view)} ({shown}) as {sql}")
        return tuple(names)

    def _new_name(self) -> str:
        self._count += 1
        return f"_ecluse_{self._count}"
