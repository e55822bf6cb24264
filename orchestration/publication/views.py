"""Views that people made on the marts: Postgres binds them to a table, not to its name.

A view inside `marts` is made anew on the new version. One in another schema follows by being
replaced by its own text, where we may replace it; what cannot follow goes on reading the version it
was made on, which is then kept, or stops the publication: ECLUSE_OUTSIDE_VIEWS says which.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.publication.sql import ddl
from orchestration.publication.versions import LIVE, Version, marts_of

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

FOLLOW, KEEP, BLOCK = "follow", "keep", "block"
CHOICES = (FOLLOW, KEEP, BLOCK)
# Those inside first, then oldest first: a view stands behind those that it reads.
READERS = """
select distinct on (n.nspname <> %(live)s, c.oid)
    n.nspname, c.relname, c.relkind, pg_has_role(c.relowner, 'usage'),
    pg_get_userbyid(c.relowner), {text}, array_to_string(c.reloptions, ', '),
    r.xmin::text
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_rewrite as r on r.ev_class = c.oid
join pg_depend as d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
    and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
join pg_class as b on b.oid = d.refobjid
where b.relnamespace = to_regnamespace(%(live)s) and c.relkind in ('v', 'm')
  and n.nspname !~ '^marts__'
order by n.nspname <> %(live)s, c.oid
"""


@dataclass(frozen=True)
class View:
    """A view on the live marts that dbt did not make. `text` names what it reads in full."""

    schema: str
    name: str
    kind: str
    ours: bool
    owner: str
    text: str
    options: str | None
    written_by: str  # the transaction that gave it this text

    def __str__(self) -> str:
        """How a sentence names it."""
        what = "materialized view" if self.kind == "m" else "view"
        return f"{what} {self.schema}.{self.name} of {self.owner}"


def views_on_marts(cursor: "cursor", live: Version) -> list[View]:
    """People's views on the live marts, inside and outside, in an order in which they can be made.

    In a transaction. To tell the text of a view Postgres locks what it reads; the savepoint takes
    care that this transaction does not keep those locks.
    """
    cursor.execute("savepoint before_look; set local search_path to ''")  # texts name schemas
    views = _look(cursor, live, "pg_get_viewdef(c.oid)")
    cursor.execute("rollback to savepoint before_look")
    return views


def changed_since(cursor: "cursor", live: Version, views: list[View]) -> bool:
    """Whether somebody made or changed a view on the marts since `views_on_marts` has looked."""
    return {replace(view, text="") for view in views} != set(_look(cursor, live, "''"))


def _look(cursor: "cursor", live: Version, text: str) -> list[View]:
    made_by_dbt = marts_of(cursor, live)
    cursor.execute(READERS.format(text=text), {"live": LIVE})
    views = [View(*row) for row in cursor.fetchall()]
    return [v for v in views if v.schema != LIVE or v.name not in made_by_dbt]


def can_follow(view: View) -> bool:
    """Whether we may replace it. A materialized view holds rows of its own, which would be lost."""
    return view.kind == "v" and view.ours


def rebind(cursor: "cursor", view: View) -> str | None:
    """After the switch, read the text of the view anew; returns why it cannot be, or None."""
    import psycopg2

    options = f" with ({view.options})" if view.options else ""
    cursor.execute("savepoint before_view")
    try:
        head = f"create or replace view {{}}.{{}}{options} as "
        ddl(cursor, head + view.text.replace("{", "{{").replace("}", "}}"), view.schema, view.name)
    except (psycopg2.ProgrammingError, psycopg2.NotSupportedError) as error:
        cursor.execute("rollback to savepoint before_view")
        return str(error).splitlines()[0]
    return None
