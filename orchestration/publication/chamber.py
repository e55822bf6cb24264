"""The chamber: `marts__next`, from its emptying before a build to its sealing after the tests."""

from typing import TYPE_CHECKING

from orchestration.errors import BuildBroke, PublishBlocked
from orchestration.publication.checksums import checksums
from orchestration.publication.masking import mask
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import NEXT, Version, refresh, standing_in
from orchestration.publication.waiting import blockers, who

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

PREPARE_TIMEOUT_MS = 10_000  # how long a build waits for whoever looks at an earlier one
NEWEST_LOAD = "select max(load_id) from {}.{} where status = 0"
# A mart that is a view on staging would show readers what no test has seen.
REACHING_OUT = """
select distinct c.relname, b.oid::regclass::text
from pg_class as c
join pg_rewrite as r on r.ev_class = c.oid
join pg_depend as d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
    and d.refclassid = 'pg_class'::regclass
join pg_class as b on b.oid = d.refobjid
where c.relnamespace = to_regnamespace(%(next)s) and b.relnamespace <> c.relnamespace
  and b.relnamespace <> 'pg_catalog'::regnamespace
order by 1, 2
"""


def prepare(session: "connection", run_id: str, git_commit: str | None = None) -> str | None:
    """Empty the chamber, for a removed model must not be published, and enter who builds now.

    Returns:
        The run whose unpublished marts were dropped, if there were any.

    Raises:
        PublishBlocked: somebody looks at the earlier build and does not stop; says who.
    """
    from psycopg2.errors import LockNotAvailable

    with session.cursor() as cursor:
        refresh(cursor)
        left = standing_in(cursor, NEXT)
        cursor.execute("set lock_timeout = %s", (PREPARE_TIMEOUT_MS,))
        try:
            ddl(cursor, "drop schema if exists {} cascade", NEXT)
            if left:
                ddl(cursor, "drop schema if exists {} cascade", left.clear_schema)
        except LockNotAvailable:
            raise PublishBlocked(
                f"The marts cannot be built: {who(blockers(cursor, NEXT))} still holds those of "
                f"an earlier build, in {NEXT}. End that transaction and run again."
            ) from None
        finally:
            cursor.execute("reset lock_timeout")
        cursor.execute("delete from ops.versions where published_at is null")
        cursor.execute(
            "insert into ops.versions (version, run_id, git_commit, schema_name, watermark) "
            "select coalesce(max(version), 0) + 1, %s, %s, %s, %s from ops.versions",
            (run_id, git_commit, NEXT, newest_load(cursor)),
        )
        ddl(cursor, "create schema {}", NEXT)
    return left.run_id if left else None


def seal(session: "connection", masked: dict[str, list[str]], pii_role: str) -> list[str]:
    """Close the chamber on marts that passed: checksums, masks, leave to be published.

    Args:
        session: an autocommit connection of the schema's owner.
        masked: the columns with personal data, by mart.
        pii_role: whose members see them in the clear.

    Returns:
        The names of the marts.

    Raises:
        BuildBroke: a mart is a view on something outside, or there is no mart at all.
    """
    with session.cursor() as cursor:
        _stay_inside(cursor)
        version = standing_in(cursor, NEXT)
        found = checksums(cursor, NEXT)
        if not found or version is None:
            raise BuildBroke(f"There is nothing to publish: {NEXT} is empty.")
        cursor.execute("begin")
        try:
            mask(cursor, version, {m: cols for m, cols in masked.items() if m in found}, pii_role)
            _enter(cursor, version, found, masked)
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise
        return sorted(found)


def newest_load(cursor: "cursor") -> str | None:
    """The newest completed dlt load in raw; load ids are unix times, so they sort as text."""
    cursor.execute(
        "select table_schema from information_schema.tables "
        r"where table_schema like 'raw\_%%' and table_name = '_dlt_loads' order by 1"
    )
    newest = []
    for (schema,) in cursor.fetchall():
        ddl(cursor, NEWEST_LOAD, schema, "_dlt_loads")
        newest += [load for (load,) in cursor.fetchall() if load]
    return max(newest, default=None)


def _enter(
    cursor: "cursor",
    version: Version,
    found: dict[str, tuple[int, str]],
    masked: dict[str, list[str]],
) -> None:
    for mart, (rows, checksum) in found.items():
        cursor.execute(
            "insert into ops.version_marts values (%s, %s, %s, %s, %s)",
            (version.number, mart, masked.get(mart, []), rows, checksum),
        )
    # publication waits for snapshots that are older than this
    cursor.execute(
        "update ops.versions set tested_at = clock_timestamp(), "
        "built_xid = pg_current_xact_id()::xid::text where version = %s",
        (version.number,),
    )


def _stay_inside(cursor: "cursor") -> None:
    cursor.execute(REACHING_OUT, {"next": NEXT})
    if out := cursor.fetchall():
        said = "; ".join(f"{mart} reads {other}" for mart, other in out)
        raise BuildBroke(
            f"A mart may not be a view on something outside of the marts, which readers would see "
            f"change before it is tested: {said}. Materialize it as a table."
        )


def names(cursor: "cursor") -> list[str]:
    """The relations in the chamber."""
    return sorted(name for name, _ in relations(cursor, NEXT))
