"""The atomic switch: all marts change for readers at one instant, or none do.

Publication and rollback alike
1. wait until no session holds a snapshot older than the tables to come: a repeatable-read reader
   with such a snapshot would find them empty;
2. in one transaction lock every live table, with a short lock_timeout and in the order in which
   readers seem to take them, so that a reader in the middle of a transaction finishes with the
   version it began with; rename `marts` to `marts__v<N>` and the other schema to `marts`; carry
   rights and people's views over; enter it in the register;
3. drop the versions that are no longer kept, gently.
Measured with 4 readers and 200 publications: no error, no mixed and no empty read. Renaming
without 1 and 2 mixes about 3 % of two-table reads; swapping views deadlocks readers.
"""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.errors import PublishBlocked
from orchestration.publication import rights
from orchestration.publication.retention import drop_unneeded
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import LIVE, Version, refresh, standing_in
from orchestration.publication.views import (
    BLOCK,
    FOLLOW,
    KEEP,
    View,
    can_follow,
    lock,
    rebind,
    views_on_marts,
)
from orchestration.publication.waiting import blocked, blockers, pauses, wait_for_old_snapshots

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LOCK_TIMEOUT_MS = 200  # how long a queue of readers may form behind our lock request
ENTER = """
update ops.versions set schema_name = %(old_schema)s, replaced_at = clock_timestamp()
where version = %(old)s;
update ops.versions
set schema_name = %(live)s, published_at = coalesce(published_at, clock_timestamp()),
    replaced_at = null
where version = %(new)s;
insert into ops.switches values (clock_timestamp(), %(run)s, %(kind)s, %(new)s, %(old)s, %(held)s)
"""
Name = tuple[str, str]  # schema and relation


@dataclass(frozen=True)
class Manner:
    """How to switch. `timeout`: seconds to wait for readers before giving up."""

    timeout: float = 300.0
    keep: int = 2  # versions, the live one included
    outside_views: str = FOLLOW
    held: bool = False  # later runs shall not publish over it
    reader: str | None = None  # a role that may read whatever is live


@dataclass
class Switched:
    """What readers see now, how long the switch took, and what a person should know of it."""

    version: Version
    tables: list[str]
    seconds: float = 0.0
    waited: float = 0.0  # of these seconds, for readers
    notes: list[str] = field(default_factory=list)


def switch(
    session: "connection", version: Version, run_id: str, kind: str, manner: Manner
) -> Switched:
    """Make `version` the live one.

    Args:
        session: an autocommit connection of the schemas' owner.
        version: in the chamber, or kept.
        run_id: the run that does it.
        kind: publication or rollback.
        manner: how long to wait, what to keep.

    Raises:
        PublishBlocked: a reader did not finish in time, or a view may not be left behind; says
            who. Nothing has changed.
    """
    started = time.monotonic()
    deadline = started + manner.timeout
    assert version.schema  # noqa: S101 - whoever calls has found it standing
    with session.cursor() as cursor:
        refresh(cursor)
        done = Switched(version, sorted(name for name, _ in relations(cursor, version.schema)))
        live = standing_in(cursor, LIVE)
        if live:
            done.notes += rights.copy_indexes(cursor, LIVE, version.schema)
            done.notes += rights.copy_indexes(cursor, live.clear_schema, version.clear_schema)
        wait_for_old_snapshots(cursor, version, deadline)
        contested: list[Name] = []
        for pause in pauses():
            done.waited = time.monotonic() - started
            attempt = _Attempt(cursor, version, live, manner)
            held = attempt.make(contested, run_id, kind)
            if held is None:
                break
            contested = [held, *(name for name in contested if name != held)]
            if time.monotonic() > deadline:
                raise blocked(blockers(cursor, held[0]), version)
            time.sleep(pause)
        done.seconds = time.monotonic() - started
        done.notes += attempt.left_behind + drop_unneeded(cursor, manner.keep)
    return done


class _Attempt:
    """One try at the transaction."""

    def __init__(
        self, cursor: "cursor", version: Version, live: Version | None, manner: Manner
    ) -> None:
        self.cursor, self.version, self.live, self.manner = cursor, version, live, manner
        self.left_behind: list[str] = []

    def make(self, first: list[Name], run_id: str, kind: str) -> Name | None:
        """Commit and return None, or return what a reader held for longer than the lock timeout.

        Locks `first` first. A reader that holds one table and then asks for another which we hold
        already would stop both of us: what was contested is what readers take first.
        """
        import psycopg2.errors

        self.asked: Name = (LIVE, "")
        self.cursor.execute("begin")
        try:
            self.cursor.execute("set local lock_timeout = %s", (LOCK_TIMEOUT_MS,))
            views = views_on_marts(self.cursor, self.live) if self.live else []
            self._lock(views, first)
            self._rename()
            if self.live:
                self._carry_over(views, kind)
            rights.let_in(self.cursor, LIVE, self.manner.reader)
            self._enter(run_id, kind)
            self.cursor.execute("commit")
        except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected):
            self.cursor.execute("rollback")
            return self.asked
        except BaseException:
            if not self.cursor.connection.closed:
                self.cursor.execute("rollback")
            raise
        return None

    def _lock(self, views: list[View], first: list[Name]) -> None:
        """Views before tables: whoever reads a view takes it first."""
        followers = {(v.schema, v.name): v for v in self._followers(views) if v.schema != LIVE}
        # Postgres cannot lock a materialized view
        tables = [(LIVE, name) for name, kind in relations(self.cursor, LIVE) if kind != "m"]

        def rank(name: Name) -> tuple[int, bool, Name]:
            return first.index(name) if name in first else len(first), name in tables, name

        for name in sorted([*followers, *tables], key=rank):
            self.asked = name
            if name in followers:
                lock(self.cursor, followers[name])
            else:
                ddl(self.cursor, "lock table {}.{} in access exclusive mode", *name)

    def _followers(self, views: list[View]) -> list[View]:
        wanted = self.manner.outside_views != KEEP
        return [v for v in views if can_follow(v) and (wanted or v.schema == LIVE)]

    def _rename(self) -> None:
        if self.live:
            ddl(self.cursor, "alter schema {} rename to {}", LIVE, self._aside(self.live))
        ddl(self.cursor, "alter schema {} rename to {}", self.version.schema or "", LIVE)

    def _carry_over(self, views: list[View], kind: str) -> None:
        """Views first, for they have rights and comments too."""
        assert self.live  # noqa: S101 - the caller has looked
        there = {name for name, _ in relations(self.cursor, LIVE)}
        followers = self._followers(views)
        for view in views:
            if view.schema == LIVE and view.name in there:
                continue
            why = rebind(self.cursor, view) if view in followers else "it cannot be replaced by us"
            if why:
                self._leave(view, why)
        if kind == "rollback":
            rights.revoke_rights(self.cursor, self._aside(self.live), LIVE)
        rights.copy_rights(self.cursor, self._aside(self.live), LIVE)
        rights.close_schema(self.cursor, self._aside(self.live))

    def _leave(self, view: View, why: str) -> None:
        assert self.live  # noqa: S101 - only its views can be left
        if self.manner.outside_views == BLOCK:
            raise PublishBlocked(
                f"The marts were not switched: {view} reads the old ones and cannot follow: {why}. "
                "Drop or change it, or set ECLUSE_OUTSIDE_VIEWS=follow to leave it behind."
            )
        still = f"goes on reading version {self.live.number}"
        why = "as ECLUSE_OUTSIDE_VIEWS says" if self.manner.outside_views == KEEP else why
        self.left_behind.append(f"{view} {still}: {why}")

    def _enter(self, run_id: str, kind: str) -> None:
        names = {
            "live": LIVE, "new": self.version.number, "run": run_id, "kind": kind,
            "held": self.manner.held, "old": None, "old_schema": None,
        }  # fmt: skip
        if self.live:
            names |= {"old": self.live.number, "old_schema": self._aside(self.live)}
        self.cursor.execute(ENTER, names)

    @staticmethod
    def _aside(live: Version) -> str:
        return f"marts__v{live.number}"
