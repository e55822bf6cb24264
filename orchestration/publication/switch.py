"""The atomic switch: all marts change for readers at one instant, or none do.

Publication and rollback alike
1. wait until no session holds a snapshot older than the tables to come: a repeatable-read reader
   with such a snapshot would find them empty;
2. in one transaction lock every live mart (gate.py), so that a reader in the middle of a
   transaction finishes with the version it began with; rename `marts` to `marts__v<N>` and the
   other schema to `marts`; carry rights and people's views over; enter it in the register;
3. drop the versions that are no longer kept, gently.
Renaming without 1 and 2 mixes about 3 % of two-table reads; swapping views deadlocks readers.
`make bench-publish` measures it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.errors import PublishBlocked
from orchestration.publication import rights
from orchestration.publication.gate import Gate, GateStuck, Mart, find_marts
from orchestration.publication.retention import drop_unneeded
from orchestration.publication.sql import ddl, relations
from orchestration.publication.versions import LIVE, Version, refresh, standing_in
from orchestration.publication.views import (
    BLOCK,
    FOLLOW,
    KEEP,
    View,
    can_follow,
    changed_since,
    rebind,
    views_on_marts,
)
from orchestration.publication.waiting import (
    WAITS,
    blocked,
    blockers,
    wait_for_old_snapshots,
    who,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

ENTER = """
update ops.versions set schema_name = %(old_schema)s, replaced_at = clock_timestamp()
where version = %(old)s;
update ops.versions
set schema_name = %(live)s, published_at = coalesce(published_at, clock_timestamp()),
    replaced_at = null
where version = %(new)s;
insert into ops.switches values (clock_timestamp(), %(run)s, %(kind)s, %(new)s, %(old)s, %(held)s)
"""


@dataclass(frozen=True)
class Manner:
    """How to switch. `timeout`: seconds to wait for readers before giving up."""

    timeout: float = 300.0
    keep: int = 2  # versions, the live one included
    outside_views: str = FOLLOW
    held: bool = False  # later runs shall not publish over it
    reader: str | None = None  # a role that may read whatever is live
    tell: Callable[[str], None] = lambda _: None  # hears whom the switch waits for


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
        wait_for_old_snapshots(cursor, version, deadline, manner.tell)
        told = False
        with Gate(session) as gate:
            while True:
                done.waited = time.monotonic() - started
                attempt = _Attempt(cursor, version, live, manner)
                try:
                    attempt.make(gate, run_id, kind)
                    break
                except GateStuck as stuck:
                    if time.monotonic() > deadline:
                        raise blocked(blockers(cursor, LIVE), version) from None
                    if not told and not any(reader.wants for reader in stuck.inside):
                        told = True
                        manner.tell(WAITS.format(who(blockers(cursor, LIVE))))
                    gate.wait(cursor, stuck.inside, deadline)
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

    def make(self, gate: Gate, run_id: str, kind: str) -> None:
        """Commit.

        Raises:
            GateStuck: a reader was in the way; nothing has changed.
        """
        self.cursor.execute("begin")
        try:
            views = views_on_marts(self.cursor, self.live) if self.live else []
            gate.close(self.cursor, self._outside(views), find_marts(self.cursor, LIVE))
            if self.live and changed_since(self.cursor, self.live, views):
                raise GateStuck([])
            self._rename()
            if self.live:
                self._carry_over(views, kind)
            rights.let_in(self.cursor, LIVE, self.manner.reader)
            self._enter(run_id, kind)
            self.cursor.execute("commit")
        except BaseException:
            if not self.cursor.connection.closed:
                self.cursor.execute("rollback")
            raise
        finally:
            gate.open()

    def _outside(self, views: list[View]) -> list[Mart]:
        """People's views in other schemas that will be replaced, in the order of their names."""
        names = sorted((v.schema, v.name) for v in self._followers(views) if v.schema != LIVE)
        return [mart for schema, name in names for mart in find_marts(self.cursor, schema, [name])]

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
