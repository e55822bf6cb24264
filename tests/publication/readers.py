"""Readers of every kind, over and over: what each saw that it should not, how long it waited.

Each is a person or a program as they are: one table, a join, several statements in a transaction
of either isolation level and in either order of the tables, prepared on the server or not, and
one who thinks for a while in the middle of a transaction.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg2

from orchestration.warehouse import Warehouse

BEGIN = "begin"
REPEATABLE = "begin isolation level repeatable read"
ONE = "select min(version), max(version), count(*) from marts.{}"
ORDERS, CUSTOMERS = ONE.format("orders"), ONE.format("customers")
JOIN = """
select least(min(o.version), min(c.version)), greatest(max(o.version), max(c.version)), count(*)
from marts.orders as o join marts.customers as c using (id)
"""
NIOJ = JOIN.replace("marts.orders as o join marts.customers as c",
                    "marts.customers as c join marts.orders as o")  # fmt: skip
THINK = "select pg_sleep(0.3)"


@dataclass(frozen=True)
class Kind:
    """What one reader does in each of its rounds."""

    name: str
    statements: tuple[str, ...]
    begin: str | None = None  # opens a transaction round the statements
    prepared: bool = False
    pause: float = 0.0  # seconds between two rounds


KINDS = (
    Kind("one table", (ORDERS,)),
    Kind("one table, prepared", (CUSTOMERS,), prepared=True),
    Kind("join", (JOIN,)),
    Kind("join the other way, prepared", (NIOJ,), prepared=True),
    Kind("two statements, read committed", (ORDERS, CUSTOMERS), BEGIN),
    Kind("two statements, repeatable read", (ORDERS, CUSTOMERS), REPEATABLE),
    Kind("the same, prepared", (ORDERS, CUSTOMERS), REPEATABLE, prepared=True),
    Kind("somebody who thinks", (ORDERS, THINK, CUSTOMERS), REPEATABLE, pause=0.5),
)
OPPOSITE = (
    Kind("customers first", (CUSTOMERS, ORDERS), BEGIN),
    Kind("customers first, prepared", (CUSTOMERS, ORDERS), REPEATABLE, prepared=True),
)
MIXES = {"readers": KINDS, "readers in opposite orders": KINDS + OPPOSITE}


@dataclass
class Seen:
    """What one reader saw. Seconds throughout."""

    kind: Kind
    errors: list[str] = field(default_factory=list)
    mixed: list[object] = field(default_factory=list)
    empty: int = 0
    waits: list[float] = field(default_factory=list)  # of each statement
    longest: float = 0.0  # transaction, or statement where there is none


class Reader(threading.Thread):
    """One reader with a connection of its own."""

    def __init__(self, warehouse: Warehouse, kind: Kind, rows: int) -> None:
        """Nothing is read before `start`."""
        super().__init__(name=kind.name, daemon=True)
        self.warehouse, self.rows = warehouse, rows
        self.seen, self.enough = Seen(kind), threading.Event()

    def run(self) -> None:
        """Read until there is `enough`."""
        kind, newest = self.seen.kind, 0
        with self.warehouse.session(kind.name) as session, session.cursor() as cursor:
            statements = list(kind.statements)
            for number, text in enumerate(kind.statements if kind.prepared else ()):
                cursor.execute(f"prepare q{number} as {text}")
                statements[number] = f"execute q{number}"
            while not self.enough.wait(kind.pause):
                began = time.monotonic()
                try:
                    newest = self._round(cursor, statements, newest)
                except psycopg2.Error as error:
                    self.seen.errors.append(str(error).strip())
                    if kind.begin:
                        cursor.execute("rollback")
                self.seen.longest = max(self.seen.longest, time.monotonic() - began)

    def _round(
        self, cursor: "psycopg2.extensions.cursor", statements: list[str], newest: int
    ) -> int:
        kind, rows = self.seen.kind, []
        if kind.begin:
            cursor.execute(kind.begin)
        for statement in statements:
            began = time.monotonic()
            cursor.execute(statement)
            if statement != THINK:
                rows.append(cursor.fetchone())
                self.seen.waits.append(time.monotonic() - began)
        if kind.begin:
            cursor.execute("commit")
        oldest_seen, newest_seen = rows[0][:2]
        if any(count == 0 for _, _, count in rows):
            self.seen.empty += 1
        elif rows != [(oldest_seen, oldest_seen, self.rows)] * len(rows) or newest_seen < newest:
            self.seen.mixed.append((newest, rows))
        return newest_seen or newest


@contextmanager
def reading(
    warehouse: Warehouse, rows: int, kinds: tuple[Kind, ...] = KINDS
) -> Iterator[list[Seen]]:
    """Readers of these kinds at work while the block runs; what they saw is whole after it."""
    readers = [Reader(warehouse, kind, rows) for kind in kinds]
    for reader in readers:
        reader.start()
    try:
        yield [reader.seen for reader in readers]
    finally:
        for reader in readers:
            reader.enough.set()
        for reader in readers:
            reader.join()
