"""The register of versions, ops.versions: what is live, what is kept, what waits to be published.

It changes in the same transaction as the schemas it speaks of, so no crash can part the two. What
somebody did to the schemas by hand is taken over by `refresh`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LIVE, NEXT = "marts", "marts__next"
COLUMNS = (
    "version, run_id, git_commit, schema_name, watermark, built_xid, "
    "tested_at, published_at, replaced_at"
)
# Marts that an earlier layout or somebody's hand left are versions too: they can be rolled back to.
REFRESH = """
update ops.versions set schema_name = null
where schema_name is not null and to_regnamespace(quote_ident(schema_name)) is null;

insert into ops.versions (version, schema_name, published_at)
select substr(nspname, 9)::integer, nspname, now() from pg_namespace
where nspname ~ '^marts__v[0-9]{1,9}$'
on conflict (version) do update set schema_name = excluded.schema_name;

insert into ops.versions (version, schema_name, published_at)
select (select coalesce(max(version), 0) + 1 from ops.versions), 'marts', now()
where to_regnamespace('marts') is not null
  and not exists (select from ops.versions where schema_name = 'marts');
"""
PUBLISHED_BY = """
select version, v.run_id, array(
    select mart from ops.version_marts as m where m.version = s.version order by mart
), null, null, switched_at
from ops.switches as s join ops.versions as v using (version)
where s.run_id = %s order by switched_at desc limit 1
"""


@dataclass(frozen=True)
class Version:
    """One version of the marts. `watermark` is the newest dlt load id that it was built from."""

    number: int
    run_id: str | None  # the run that built it; None for marts that Écluse found
    git_commit: str | None
    schema: str | None  # where it stands; None once it was dropped
    watermark: str | None
    built_xid: str | None
    tested_at: datetime | None
    published_at: datetime | None
    replaced_at: datetime | None

    @property
    def state(self) -> str:
        """live, kept (can be rolled back to), tested or untested (not published), dropped."""
        if self.schema == NEXT:
            return "tested" if self.tested_at else "untested"
        return "live" if self.schema == LIVE else "kept" if self.schema else "dropped"

    @property
    def clear_schema(self) -> str:
        """Where the unmasked tables of marts with personal data stand."""
        return f"marts__v{self.number}__clear"


@dataclass(frozen=True)
class Switch:
    """A change of what readers see. `kind`: publication or rollback."""

    at: datetime
    run_id: str
    kind: str
    version: int
    replaced: int | None
    held: bool


def refresh(cursor: "cursor") -> None:
    """Bring the register in step with the schemas that there are."""
    cursor.execute(REFRESH)


def all_versions(cursor: "cursor") -> list[Version]:
    """Every version there ever was, newest first."""
    cursor.execute(f"select {COLUMNS} from ops.versions order by version desc")  # noqa: S608
    return [Version(*row) for row in cursor.fetchall()]


def standing_in(cursor: "cursor", schema: str) -> Version | None:
    """The version that stands in this schema."""
    return next((v for v in all_versions(cursor) if v.schema == schema), None)


def last_switch(cursor: "cursor") -> Switch | None:
    """The newest change of what readers see."""
    cursor.execute(
        "select switched_at, run_id, kind, version, replaced, held from ops.switches "
        "order by switched_at desc limit 1"
    )
    row = cursor.fetchone()
    return Switch(*row) if row else None


def published_by(cursor: "cursor", run_id: str) -> dict[str, Any] | None:
    """What this run made live, as its record says it; None when it never switched.

    The switch commits before the record can tell: between the two a run may be killed.
    """
    cursor.execute(PUBLISHED_BY, (run_id,))
    found = cursor.fetchone()
    names = ("version", "built_by", "tables", "seconds", "waited", "at")
    return dict(zip(names, found, strict=True)) if found else None


def open_register(session: "connection") -> list[Version]:
    """The versions, of a warehouse that may never have seen a run."""
    from orchestration import ops

    ops.create_tables(session)
    with session.cursor() as cursor:
        refresh(cursor)
        return all_versions(cursor)


def find(versions: list[Version], name: str) -> Version:
    """The version of that number, `live`, `previous` or `next`, or built by the run of that id.

    Raises:
        ConfigurationError: there is none, or it was dropped; says which there are.
    """
    standing = [v for v in versions if v.schema]
    live = next((v for v in standing if v.schema == LIVE), None)
    older = [v for v in standing if v.state == "kept" and live and v.number < live.number]
    named = {"live": live, "previous": older[0] if older else None}
    named["next"] = next((v for v in standing if v.schema == NEXT), None)
    found = named.get(name) or next(
        (v for v in standing if name in {str(v.number), f"v{v.number}", v.run_id}), None
    )
    if found:
        return found
    there = ", ".join(f"{v.number} ({v.state})" for v in standing) or "none yet"
    gone = any(name in {str(v.number), v.run_id} for v in versions)
    what = "was dropped" if gone else "is not there"
    raise ConfigurationError(
        f"Version {name!r} {what}. Versions: {there}; `.venv/bin/ecluse versions` tells more."
    )


def find_ever(versions: list[Version], name: str) -> Version:
    """`find`, among dropped versions too; the beginning of a run id will do, and `latest`.

    Raises:
        ConfigurationError: there never was one.
    """
    published = [v for v in versions if v.published_at]
    by_run = (v for v in published if name == "latest" or (v.run_id or "").startswith(name))
    by_number = (v for v in published if name in {str(v.number), f"v{v.number}"})
    found = next(by_number, None) or next(by_run, None)
    return found or find([v for v in versions if v.schema], name)


def marts_of(cursor: "cursor", version: Version) -> dict[str, list[str]]:
    """The marts of a version as they were sealed: name to masked columns."""
    cursor.execute(
        "select mart, masked from ops.version_marts where version = %s order by mart",
        (version.number,),
    )
    return dict(cursor.fetchall())
