"""The rows that a load sets aside: where they go, and when they are too many.

They stand in raw beside their table, in `<table>__rejected`, and come with the load that found
them: whole or not at all. A row leaves when it is replayed, or when a good row of its key has come;
it then stays, with who released it. What is released is written after its load is complete: killed
in between, the row is still there, and to replay it once more doubles nothing.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import dlt
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from dlt.destinations.sql_client import SqlClientBase

from ingestion.check import Breach
from ingestion.contract import Contract, Policy
from ingestion.errors import RowsRejected
from ingestion.keys import key_of, keys_of
from ingestion.pages import Page
from ingestion.sift import Sifted

if TYPE_CHECKING:
    from ingestion.load import LoadRecord

REJECTED = "__rejected"
QUARANTINE = "quarantine"  # stands as the URL of pages that come from here
SHOWN = 3  # broken rows named in a sentence; all are counted
PAGE_SIZE = 5_000  # of rows that are replayed
MOMENT = pa.timestamp("us", tz="UTC")
ROW = pa.schema(
    [(name, pa.string()) for name in ("content", "reason", "path", "value", "key", "run_id",
                                      "endpoint")]
    + [("page", pa.int64()), ("row_number", pa.int64()), ("first_seen_at", MOMENT),
       ("released_at", MOMENT), ("released_by", pa.string()), ("released_how", pa.string()),
       ("_dlt_id", pa.string())]
)  # fmt: skip
KINDS = {pa.string(): "text", pa.int64(): "bigint", MOMENT: "timestamp"}
MEANT = {"evolve": "raw has it as text now", "freeze": "its contract is frozen"}
TABLES = """
select table_name from information_schema.tables
where table_schema = %s and table_name like '%%\\_\\_rejected'
"""
OPEN = "select _dlt_id, key from {table} where released_at is null"
RELEASE = """
update {table} set released_at = now(), released_by = %s, released_how = %s
where released_at is null and (_dlt_id = any(%s) or key = any(%s))
"""
STAYS = """
update {table} set reason = %s, path = %s, value = %s where released_at is null and _dlt_id = %s
"""


@dataclass(frozen=True)
class Again:
    """A row of the quarantine that is sent through the door once more, as `content`."""

    id: str
    content: str
    how: str = "replayed"


@dataclass
class Aside:
    """What one resource sets aside in one load. Its pages may come from several threads."""

    contract: Contract
    quarantine: "Quarantine"
    known: dict[str, str | None] = field(default_factory=dict)  # id -> key of what is there already
    keys: set[str] = field(default_factory=set)  # of the rows of this load
    nameless: int = 0  # rows of this load whose key cannot be read
    met: set[str] = field(default_factory=set)  # keys of known rows, of which a good one has come
    broken: int = 0
    said: str = ""  # what was wrong with the first page
    still: dict[str, Breach] = field(default_factory=dict)  # replayed rows that are broken yet
    again: list[Again] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, page: Page, breaches: list[Breach]) -> pa.Table | None:
        """Count the broken rows of a page; returns those that are new here, for raw.

        Raises:
            RowsRejected: they are too many, or the contract is frozen.
        """
        with self._lock:
            self.broken += len(breaches)
            self.said = self.said or (breaches and _sentence(page, breaches)) or ""
            for breach in breaches:
                self._tell(breach)
            rows = [row for breach in breaches if (row := self._row(page, breach))]
            self.quarantine.record.rejected[self.contract.table] = self.broken
            if self.broken > self.contract.stop.rows and not self.again:
                self._stop()
        return pa.Table.from_pylist(rows, ROW) if rows else None

    def meet(self, table: pa.Table) -> None:
        """Good rows have come: those of their keys that are here are out of date."""
        with self._lock:
            wanted = [key for key in self.known.values() if key is not None]
            if wanted and not self.again:
                keys = keys_of(table, self.contract)
                self.met.update(keys.filter(pc.is_in(keys, pa.array(wanted))).to_pylist())

    def added(self, sifted: Sifted) -> None:
        """Columns that a page has brought along, and that raw will have."""
        for part in (sifted.contract, *sifted.contract.nested()):
            for column in part.columns:
                if column.added:
                    self.quarantine.change(part.table, f"new column {column.name}", "evolve")

    def judge(self) -> None:
        """The last word of a resource whose pages have all come."""
        if self.again:
            return
        contract, record = self.contract, self.quarantine.record
        received = record.received.get(contract.table, 0)
        if contract.stop.exceeded(self.broken, received):
            self._stop()
        if contract.warn.exceeded(self.broken, received):
            said = f"{self._share()} were rejected, more than {contract.warn}"
            record.warned.append(said)
            record.exceeded[contract.table] = said

    def pages(self) -> Iterator[Page]:
        """The rows that are to be replayed."""
        table = self.contract.table
        for number, start in enumerate(range(0, len(self.again), PAGE_SIZE), start=1):
            part = self.again[start : start + PAGE_SIZE]
            received = self.quarantine.record.received
            received[table] = received.get(table, 0) + len(part)
            rows = [msgspec.Raw(each.content.encode()) for each in part]
            yield Page(table, number, QUARANTINE, rows)

    def settle(self, client: SqlClientBase[Any]) -> None:
        """After the load: write down what has left the quarantine, and why the rest stays."""
        name = client.escape_column_name(self.contract.table + REJECTED)
        run_id, released = self.quarantine.run_id, 0
        passed = [each for each in self.again if each.id not in self.still]
        keys = {key_of(msgspec.Raw(each.content.encode()), self.contract) for each in passed}
        hows = {how: [each.id for each in passed if each.how == how]
                for how in {each.how for each in passed}}  # fmt: skip
        told: list[tuple[str, list[str], Collection[str | None]]] = [
            *((how, ids, ()) for how, ids in hows.items()),
            ("a newer row of its key was replayed", [], keys - {None}),
            ("a good row of its key has come", [], self.met - self.keys),
        ]
        for how, ids, of_keys in told:
            if ids or of_keys:
                sql = RELEASE.format(table=name)
                with client.execute_query(sql, run_id, how, ids, list(of_keys)) as cursor:
                    released += int(cursor.rowcount)  # type: ignore[attr-defined]
        for id_, breach in self.still.items():
            client.execute_sql(STAYS.format(table=name), breach.rule, breach.path,
                               _text(breach.value), id_)  # fmt: skip
        if released:
            self.quarantine.record.released[self.contract.table] = released

    def _row(self, page: Page, breach: Breach) -> dict[str, Any] | None:
        raw = page.rows[breach.row - 1]
        key = key_of(raw, self.contract)
        self.keys.update([key] if key is not None else [])
        self.nameless += key is None
        if self.again:
            place = (page.number - 1) * PAGE_SIZE + breach.row - 1
            self.still[self.again[place].id] = breach
            return None
        # a NUL as such can stand in broken JSON only
        content = bytes(raw).decode("utf-8", "backslashreplace").replace("\x00", "\\u0000")
        id_ = blake2b(content.encode(), digest_size=10).hexdigest()
        if id_ in self.known:
            return None
        self.known[id_] = None
        return {
            "content": content, "reason": breach.rule, "path": breach.path,
            "value": _text(breach.value), "key": key, "run_id": self.quarantine.run_id,
            "endpoint": page.url.partition("?")[0], "page": page.number, "row_number": breach.row,
            "first_seen_at": datetime.now(UTC), "_dlt_id": id_,
        }  # fmt: skip

    def _tell(self, breach: Breach) -> None:
        if breach.kind == "value":
            return
        frozen = self.contract.unknown == "freeze" and not self.again
        path = re.sub(r"\[\d+\]", "", breach.path)
        what = f"new {path}" if breach.kind == "unknown" else f"{path} has changed its type"
        self.quarantine.change(self.contract.table, what, "freeze" if frozen else "quarantine")
        if frozen:
            why = f"The contract of {self.contract.table} is frozen"
            self.refuse(f"{why}: {what}", f"{self.said}. {why}. {NOTHING}")

    def _stop(self) -> None:
        share, allows = self._share(), f"the contract allows {self.contract.stop}"
        self.refuse(
            f"{share} broke it, and {allows}",
            f"{self.said}. That makes {share}, and {allows}. {NOTHING}",
        )

    def _share(self) -> str:
        received = self.quarantine.record.received.get(self.contract.table, 0)
        return f"{self.broken:,} of {received:,} rows of {self.contract.table}"

    def refuse(self, briefly: str, sentence: str) -> NoReturn:
        """End the load; what is said `briefly` holds no value of a row.

        Raises:
            RowsRejected: always.
        """
        self.quarantine.record.exceeded[self.contract.table] = briefly
        raise RowsRejected(sentence)


NOTHING = (
    "Nothing of this load is visible; mend the API, or the contract beside the source, and run "
    "again."
)


class Quarantine:
    """What one load sets aside, and what it sends through the door again."""

    def __init__(
        self,
        record: "LoadRecord",
        run_id: str = "",
        again: dict[str, list[Again]] | None = None,
    ) -> None:
        """Count into `record`; with `again`, the rows come from here instead of the API."""
        self.record, self.run_id, self.again = record, run_id, again
        self._asides: dict[str, Aside] = {}

    def remember(self, client: SqlClientBase[Any]) -> None:
        """Learn which rows are there already."""
        for (table,) in client.execute_sql(TABLES, client.dataset_name) or []:
            rows = client.execute_sql(OPEN.format(table=client.escape_column_name(table))) or []
            if found := self._asides.get(table.removesuffix(REJECTED)):
                found.known = {id_: key for id_, key in rows}  # noqa: C416 - for the types

    def aside(self, contract: Contract) -> Aside:
        """The part of one resource."""
        made = Aside(contract, self, again=(self.again or {}).get(contract.table, []))
        self._asides[contract.table] = made
        return made

    def change(self, table: str, what: str, policy: Policy) -> None:
        """A column has come or changed: an event of the load, told once."""
        sentence = f"{table}: {what} ({MEANT.get(policy, 'rows with it are set aside')})"
        if sentence not in self.record.changes:
            self.record.changes.append(sentence)

    def judge(self) -> None:
        """When everything has come, and nothing is written yet.

        Raises:
            RowsRejected: too many rows of a resource are broken.
        """
        for each in self._asides.values():
            each.judge()

    def settle(self, client: SqlClientBase[Any]) -> None:
        """When the load is complete."""
        for each in self._asides.values():
            each.settle(client)


def marked(contract: Contract, rows: pa.Table) -> Any:
    """The rejected rows on their way to raw."""
    columns: Any = [
        {"name": each.name, "data_type": KINDS[each.type], "nullable": each.name != "_dlt_id"}
        for each in ROW
    ]
    hints = dlt.mark.make_hints(
        table_name=contract.table + REJECTED, columns=columns, write_disposition="append"
    )
    return dlt.mark.with_hints(rows, hints, create_table_variant=True)


def _sentence(page: Page, breaches: list[Breach]) -> str:
    more = f" (and {len(breaches) - SHOWN} more)" if len(breaches) > SHOWN else ""
    return (
        f"{page.resource}, page {page.number} ({page.url}): {len(breaches)} of {len(page.rows)} "
        f"rows broke the contract: {'; '.join(map(str, breaches[:SHOWN]))}{more}"
    )


def _text(value: Any) -> str | None:
    if value is msgspec.UNSET:
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
