"""The gate: every live mart locked at one instant, or none, without stopping a reader halfway.

A reader who has read one mart and asks for another must get it, or it would see two versions. If
we held some marts and waited for others, such a reader and we would wait for each other; readers
who take the marts in opposite orders would leave no order that works. So nobody of ours waits while
holding: each mart is asked for by a session of its own, a keeper, all in the same few milliseconds.
From then on new readers wait in front of the gate with nothing in their hands, and those inside
come to their end. A reader inside who asks for another mart is let through by that keeper alone,
who then asks anew; if that does not lead to an end soon, all let go, and we try again.
"""

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from psycopg2 import sql

from orchestration.publication.waiting import pauses

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

PATIENCE_MS = 200  # how long readers may have to wait in front of the gate
LOOK_SECONDS = 0.005
BREATHER = (0.005, 0.05)  # seconds between two tries, for those whom we have let through
MOST_KEEPERS = 16  # of more marts than these a keeper has several
ROUNDS = 3  # how often keepers let somebody through before all let go
# Each alone: without ONLY a partition, and LOCK TABLE of a view what it reads, would come along,
# which another keeper holds. LOCK TABLE refuses a materialized view.
LOCK = {
    "r": "lock table only {name} in access exclusive mode",
    "v": "alter view {name} owner to {owner}",
    "m": "alter materialized view {name} owner to {owner}",
}
MARTS = """
select n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), c.oid
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relkind in ('r', 'p', 'v', 'm')
  and pg_has_role(c.relowner, 'usage')
  and (%(names)s::text[] is null or c.relname = any(%(names)s))
order by c.oid
"""
# Who is inside, told apart from an equal later one by its transaction, and what it waits for.
INSIDE = """
select h.pid, h.virtualtransaction, max(w.relation::bigint)
from pg_locks as h
left join pg_locks as w on w.pid = h.pid and w.virtualtransaction = h.virtualtransaction
    and not w.granted and w.relation = any(%(marts)s)
where h.granted and h.relation = any(%(marts)s) and h.pid <> all(%(ours)s)
group by h.pid, h.virtualtransaction
"""
TRANSACTIONS = "select distinct pid, virtualtransaction from pg_locks where pid = any(%s)"


@dataclass(frozen=True)
class Mart:
    """A relation that readers see, and how it is locked."""

    schema: str
    name: str
    kind: str
    owner: str
    oid: int

    @property
    def lock(self) -> sql.Composed:
        """The statement that locks it against readers and does nothing else."""
        template = LOCK.get(self.kind, LOCK["r"])
        name = sql.Identifier(self.schema, self.name)
        return sql.SQL(template).format(name=name, owner=sql.Identifier(self.owner))


@dataclass(frozen=True)
class Inside:
    """A reader in a transaction that has read a mart. `wants`: the other one that it waits for."""

    pid: int
    transaction: str
    wants: int | None


class GateStuck(Exception):
    """Somebody inside did not come to an end in time, or stands halfway. Nothing is locked."""

    def __init__(self, inside: list[Inside]) -> None:
        """Remember who was inside."""
        super().__init__()
        self.inside = inside


class Gate:
    """Keepers for one switch; they are let go at the end of the block."""

    def __init__(self, session: "connection") -> None:
        """Keepers are logged in as whoever `session` belongs to, when they are needed."""
        self._session = session
        self._keepers: list[_Keeper] = []
        self._threads = ThreadPoolExecutor(MOST_KEEPERS)

    def __enter__(self) -> Self:
        """Nothing is locked yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let everybody go."""
        self.open()
        for keeper in self._keepers:
            keeper.session.close()
        self._threads.shutdown()

    def close(self, cursor: "cursor", views: list[Mart], marts: list[Mart]) -> None:
        """Lock everything until `open`.

        Args:
            cursor: of a session in a transaction.
            views: people's views outside, which that session will replace and therefore locks
                itself; first, for whoever reads a view takes it before what it reads.
            marts: all that stands in the live schema.

        Raises:
            GateStuck: the keepers have let go; the transaction is to be rolled back.
        """
        self._staff(len(marts))
        deadline = time.monotonic() + PATIENCE_MS / 1000
        self._lock_views(cursor, views)
        for number, keeper in enumerate(self._keepers):
            keeper.ask(self._threads, marts[number :: len(self._keepers)])
        rounds = 0
        while not all(keeper.done() for keeper in self._keepers):
            inside = self._inside(cursor, [*views, *marts])
            wanted = {reader.wants for reader in inside if reader.wants}
            rounds += bool(wanted)
            if time.monotonic() > deadline or rounds > ROUNDS:
                raise GateStuck(inside)
            for keeper in self._keepers:
                if not wanted.isdisjoint(keeper.oids):
                    keeper.ask_anew(self._threads)
            time.sleep(LOOK_SECONDS)
        if not all(keeper.has_locked() for keeper in self._keepers):
            raise GateStuck(self._inside(cursor, [*views, *marts]))

    def open(self) -> None:
        """Let everybody pass whom a keeper holds up."""
        for keeper in self._keepers:
            keeper.cancel()
        for keeper in self._keepers:
            keeper.let_go()

    def wait(self, cursor: "cursor", inside: list[Inside], deadline: float) -> None:
        """Between two tries: wait, asking for no lock, for those who were in the way.

        Who stood halfway needs a moment only. When it is over is left to chance, so that we do not
        fall in step with readers who come at a beat of their own.
        """
        if any(reader.wants for reader in inside):
            time.sleep(random.uniform(*BREATHER))  # noqa: S311 - no secret
            return
        known = {(reader.pid, reader.transaction) for reader in inside}
        for pause in pauses():
            time.sleep(pause)
            cursor.execute(TRANSACTIONS, ([pid for pid, _ in known],))
            if known.isdisjoint(cursor.fetchall()) or time.monotonic() > deadline:
                return

    def _staff(self, wanted: int) -> None:
        """As many keepers as the server lets in; one alone can do it, only less well."""
        import psycopg2

        while len(self._keepers) < min(wanted, MOST_KEEPERS):
            try:
                self._keepers.append(_Keeper(self._session))
            except psycopg2.OperationalError:
                if not self._keepers:
                    raise
                return

    def _lock_views(self, cursor: "cursor", views: list[Mart]) -> None:
        from psycopg2.errors import DeadlockDetected, LockNotAvailable

        cursor.execute("set local lock_timeout = %s", (PATIENCE_MS,))
        for view in views:
            cursor.execute("savepoint before_view")
            try:
                cursor.execute(view.lock)
            except (LockNotAvailable, DeadlockDetected):
                cursor.execute("rollback to savepoint before_view")
                raise GateStuck(self._inside(cursor, [view])) from None

    def _inside(self, cursor: "cursor", marts: list[Mart]) -> list[Inside]:
        """The readers whose transactions hold one of these."""
        ours = [cursor.connection.info.backend_pid, *(keeper.pid for keeper in self._keepers)]
        cursor.execute(INSIDE, {"marts": [mart.oid for mart in marts], "ours": ours})
        return [Inside(*row) for row in cursor.fetchall()]


def find_marts(cursor: "cursor", schema: str, names: list[str] | None = None) -> list[Mart]:
    """The relations of these names in the schema, or all, that are ours to lock."""
    cursor.execute(MARTS, {"schema": schema, "names": names})
    return [Mart(*row) for row in cursor.fetchall()]


class _Keeper:
    """A session that waits for its marts and then holds them."""

    def __init__(self, session: "connection") -> None:
        import psycopg2

        known = session.info.dsn_parameters | {"password": session.info.password or ""}
        self.session: connection = psycopg2.connect(**known)  # type: ignore[call-overload]
        self.pid = self.session.info.backend_pid
        self._marts: list[Mart] = []
        self._asked: Future[bool] | None = None

    @property
    def oids(self) -> set[int]:
        return {mart.oid for mart in self._marts}

    def ask(self, threads: ThreadPoolExecutor, marts: list[Mart]) -> None:
        self._marts = marts
        self._asked = threads.submit(self._lock)

    def ask_anew(self, threads: ThreadPoolExecutor) -> None:
        """Whoever waits for these marts now has them before us."""
        self.cancel()
        self.let_go()
        self.ask(threads, self._marts)

    def done(self) -> bool:
        return self._asked is None or self._asked.done()

    def has_locked(self) -> bool:
        return self._asked is None or self._asked.result()

    def cancel(self) -> None:
        if not self.done():
            self.session.cancel()

    def let_go(self) -> None:
        if self._asked:
            with suppress(Exception):  # heard by has_locked, or of no interest any more
                self._asked.result()
            self._asked = None
            self.session.rollback()

    def _lock(self) -> bool:
        from psycopg2.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

        with self.session.cursor() as cursor:
            cursor.execute("set local lock_timeout = %s", (PATIENCE_MS,))
            try:
                for mart in self._marts:
                    cursor.execute(mart.lock)
            except (LockNotAvailable, QueryCanceled, DeadlockDetected):
                return False
        return True
