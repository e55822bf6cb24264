"""What dead runs may have left. The next run puts most of it right by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.ci.space import leftovers as dead_jobs
from orchestration.doctor.finding import Finding, warned, well
from orchestration.lock import describe_holder
from orchestration.publication.versions import standing_in
from orchestration.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

HAS_OPS = "select to_regclass('ops.runs') is not null and to_regclass('ops.versions') is not null"
OPEN = "select run_id from ops.runs where finished_at is null order by run_id"
# of a replay, of a publication that could not drop what it replaced
STRAYS = """
select nspname from pg_namespace
where nspname ~ '^(marts__|replay_)' and nspname <> 'marts__next' and not exists (
    select from ops.versions as v
    where nspname in (v.schema_name, 'marts__v' || v.version || '__clear')
) order by nspname
"""
CLEAN = "`.venv/bin/ecluse clean` shows what may go, and with --yes removes it"
HEALS = "nothing: the next run puts it right"


def look(settings: Settings, session: "connection") -> Iterator[Finding]:
    """Check what there is of runs that did not end."""
    with session.cursor() as cursor:
        cursor.execute(HAS_OPS)
        if cursor.fetchone() != (True,):
            yield well("leftovers", "none: this warehouse has never seen a run")
            return
        holder = describe_holder(session)
        if holder:
            yield well("leftovers", f"at work now: {holder}")
            return
        found = list(_of_the_dead(cursor))
    if parts := half_written(settings):
        found.append(warned("leftovers", f"{len(parts)} half-written files in runs/", CLEAN))
    yield from found or [well("leftovers", "none")]


def half_written(settings: Settings) -> list[Path]:
    """Files of runs that were killed while they wrote them; no later run comes back to them."""
    return sorted(settings.runs_dir.glob("*/*.part"))


def _of_the_dead(cursor: "cursor") -> Iterator[Finding]:
    cursor.execute(OPEN)
    for (run_id,) in cursor.fetchall():
        yield warned("leftovers", f"run {run_id} never ended", HEALS)
    waits = standing_in(cursor, "marts__next")
    if waits and waits.tested_at:
        mend = f"`.venv/bin/ecluse publish {waits.run_id}`, or a new run builds it anew"
        yield warned("leftovers", f"run {waits.run_id} built marts that wait to be published", mend)
    cursor.execute(STRAYS)
    for (schema,) in cursor.fetchall():
        yield warned("leftovers", f"the schema {schema} belongs to no version", CLEAN)
    for left in dead_jobs(cursor.connection):
        yield warned("leftovers", f"the schemas of {left.name} were left ({left.said})", CLEAN)
