"""Somebody who reads all marts all the while, and must never see a half-truth."""

import time
from contextlib import suppress
from threading import Event, Thread

import psycopg2

from orchestration.errors import EcluseError
from orchestration.publication.checksums import PLAIN_TEXT, ROW_HASH
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import query

NAME = "chaos reader"
PAUSE = 0.1  # seconds between two reads
MARTS = sorted(path.stem for path in (ROOT / "dbt_project/models/marts").rglob("*.sql"))
READ = "select '{0}', count(*), coalesce(sum({1}), 0)::text from marts.{0} as r"
PUBLISHED = """
select version, mart, row_count, checksum
from ops.version_marts join ops.versions using (version)
where tested_at is not null and version in (select version from ops.switches)
"""

Seen = frozenset[tuple[str, int, str]]  # mart, rows, checksum


class Reader:
    """A thread that reads, and connects again whenever the server was killed."""

    def __init__(self, warehouse: Warehouse, marts: list[str] = MARTS) -> None:
        """Begin to read `marts`."""
        self._warehouse = warehouse
        self._statements = [READ.format(mart, ROW_HASH.format(row="r")) for mart in marts]
        self._over = Event()
        self.seen: list[Seen] = []  # each time that something else was seen than before
        self.reads = self.cut = 0
        self.wrong: list[str] = []
        self._thread = Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join()

    def judge(self) -> list[str]:
        """What was seen and must not be: anything but the published versions, in their order."""
        versions: dict[int, set[tuple]] = {}
        for number, *mart in query(self._warehouse, PUBLISHED):
            versions.setdefault(number, set()).add(tuple(mart))
        last, wrong = 0, list(self.wrong)
        for seen in list(self.seen):
            fitting = [number for number, marts in versions.items() if marts == seen]
            newer = [number for number in fitting if number >= last]
            if not newer:
                what = "an earlier version again" if fitting else "no version that was published"
                wrong.append(f"a reader saw {what}, after version {last}: {sorted(seen)}")
            last = min(newer, default=last)
        return wrong

    def _read_on(self) -> None:
        while not self._over.is_set():
            try:
                with self._warehouse.session(NAME) as session:
                    self._read_until_cut(session)
            except EcluseError:  # cut, or the server is not there
                self.cut += 1
                time.sleep(PAUSE)
            except psycopg2.Error as error:
                self.wrong.append(f"a reader was refused: {error}")

    def _read_until_cut(self, session: "psycopg2.extensions.connection") -> None:
        with session.cursor() as cursor:
            while not self._over.wait(PAUSE):
                with suppress(psycopg2.errors.UndefinedTable):  # nothing is published yet
                    self._keep(self._read(cursor))
                    continue
                cursor.execute("rollback")
                if self.seen:
                    self.wrong.append("a reader found no marts any more")

    def _read(self, cursor: "psycopg2.extensions.cursor") -> Seen:
        """In turns: in one statement, and in one transaction of a statement for each mart."""
        self.reads += 1
        one = self.reads % 2
        cursor.execute("begin" if one else "begin isolation level repeatable read")
        cursor.execute(PLAIN_TEXT)
        found = []
        for statement in [" union all ".join(self._statements)] if one else self._statements:
            cursor.execute(statement)
            found += cursor.fetchall()
        cursor.execute("commit")
        return frozenset(found)

    def _keep(self, found: Seen) -> None:
        if not self.seen or self.seen[-1] != found:
            self.seen.append(found)
