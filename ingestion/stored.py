"""What stands in the quarantine of a source: to be counted, looked at, edited and replayed.

Whoever is shown a row sees `***` where its contract has personal data, and in columns it does not
know of a table that has any; a row that comes back so keeps what it had there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg2 import sql

from ingestion.contract import Contract
from ingestion.keys import key_of
from ingestion.quarantine import REJECTED, ROW, Again
from ingestion.registry import contracts_of

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

MASK = "***"
# Rows of a load that was killed are for `heal` to remove.
WHOLE = "_dlt_load_id in (select load_id from {loads} where status = 0)"
COUNT = f"""
select count(*) filter (where released_at is null), count(*) filter (where released_at is not null),
       min(first_seen_at) filter (where released_at is null)
from {{table}} where {WHOLE}
"""  # noqa: S608 - names only
REASONS = f"""
select regexp_replace(path, '\\[\\d+\\]', '[]') || ': ' || reason as what, count(*) from {{table}}
where released_at is null and {WHOLE} group by what order by count(*) desc, what
"""  # noqa: S608 - names only
ROWS = f"""
select {{columns}} from {{table}} where {WHOLE}
order by first_seen_at desc, page desc, row_number desc
"""  # noqa: S608 - names only


@dataclass(frozen=True)
class Heap:
    """The rows of one table that are set aside: `waiting` ones, and those that have left again."""

    source: str
    table: str
    waiting: int
    released: int
    since: datetime | None
    reasons: dict[str, int]  # what is wrong -> how many wait because of it


def heaps(cursor: "cursor", source: str) -> Iterator[Heap]:
    """The tables of a source that have, or had, rows in quarantine."""
    for contract in _quarantined(cursor, source):
        names = _names(source, contract.table)
        cursor.execute(sql.SQL(COUNT).format(**names))
        waiting, released, since = cursor.fetchone() or (0, 0, None)
        cursor.execute(sql.SQL(REASONS).format(**names))
        reasons = dict(cursor.fetchall())
        yield Heap(source, contract.table, waiting, released, since, reasons)


def waiting_rows(cursor: "cursor", source: str, table: str) -> list[dict[str, Any]]:
    """The rows that wait in quarantine, the newest first, masked for people."""
    (contract,) = (each for each in contracts_of(source) if each.table == table)
    return [_masked(row, contract) for row in _rows(cursor, source, contract)
            if row["released_at"] is None]  # fmt: skip


def came_back(
    cursor: "cursor", source: str, contract: Contract, key: str, clear: bool = False
) -> dict[str, Any] | None:
    """The row of the quarantine that was replayed last as the row of this key; masked or clear."""
    for row in _rows(cursor, source, contract) if _is_there(cursor, source, contract) else ():
        if row["key"] == key and (row["released_how"] or "").startswith("replayed"):
            return row if clear else _masked(row, contract)
    return None


def holding(cursor: "cursor", source: str, values: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Rows that wait in quarantine and have these values as their key or in it: table and row."""
    key = "\x1f".join(values)
    for contract in _quarantined(cursor, source):
        for row in _rows(cursor, source, contract):
            held = all(msgspec.json.encode(value).decode() in row["content"] for value in values)
            if row["released_at"] is None and (row["key"] == key or held):
                yield contract.table, _masked(row, contract)


def replayable(
    cursor: "cursor", source: str, table: str | None, fixed: Mapping[str, str] | None = None
) -> dict[str, list[Again]]:
    """The rows to replay, by table; of a key the newest one.

    Args:
        cursor: of a session that may read raw.
        source: whose.
        table: one table, or all.
        fixed: content by id as somebody has edited it; only these rows then. Those that have left
            the quarantine are left out.
    """
    found: dict[str, list[Again]] = {}
    for contract in _quarantined(cursor, source):
        if table in {None, contract.table}:
            found[contract.table] = list(_newest(_rows(cursor, source, contract), contract, fixed))
    return {name: rows for name, rows in found.items() if rows}


def all_ids(cursor: "cursor", source: str, table: str | None) -> set[str]:
    """The rows that were ever set aside."""
    return {
        row["_dlt_id"]
        for contract in _quarantined(cursor, source) if table in {None, contract.table}
        for row in _rows(cursor, source, contract)
    }  # fmt: skip


def _newest(
    rows: list[dict[str, Any]], contract: Contract, fixed: Mapping[str, str] | None
) -> Iterator[Again]:
    keys = set()
    for row in rows:
        id_, content, how = row["_dlt_id"], row["content"], "replayed"
        if row["released_at"] or (fixed is not None and id_ not in fixed):
            continue
        edited = _unmasked(fixed[id_], content) if fixed else content
        if edited != content:
            content, how = edited, "replayed, edited by hand"
        key = key_of(msgspec.Raw(content.encode()), contract)
        if key is None or key not in keys:
            keys.add(key)
            yield Again(id_, content, how)


def _quarantined(cursor: "cursor", source: str) -> Iterator[Contract]:
    return (each for each in contracts_of(source) if _is_there(cursor, source, each))


def _is_there(cursor: "cursor", source: str, contract: Contract) -> bool:
    cursor.execute("select to_regclass(%s)", (f"raw_{source}.{contract.table}{REJECTED}",))
    return bool(cursor.fetchone() != (None,))


def _names(source: str, table: str) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(f"raw_{source}", table + REJECTED),
        "loads": sql.Identifier(f"raw_{source}", "_dlt_loads"),
        "columns": sql.SQL(", ").join(map(sql.Identifier, ROW.names)),
    }


def _rows(cursor: "cursor", source: str, contract: Contract) -> list[dict[str, Any]]:
    cursor.execute(sql.SQL(ROWS).format(**_names(source, contract.table)))
    return [dict(zip(ROW.names, row, strict=True)) for row in cursor.fetchall()]


def _masked(row: dict[str, Any], contract: Contract) -> dict[str, Any]:
    """The row as people are shown it: what is not secret is as it came."""
    if not _secrets(contract):
        return row
    hidden, _, name = row["path"].rpartition("].")[2].rpartition(" ")
    known = {c.name for part in (contract, *contract.nested()) for c in part.columns}
    secret = hidden != "key" and (name in _secrets(contract) or name not in known)
    content = hide_secrets(row["content"], contract)
    value = MASK if secret and row["value"] is not None else row["value"]
    return row | {"content": content, "value": value}


def hide_secrets(content: str, contract: Contract) -> str:
    """The JSON of a row with *** for its personal data, and for what its contract does not know."""
    if not _secrets(contract):
        return content
    try:
        return msgspec.json.encode(_hide(msgspec.json.decode(content), contract)).decode()
    except msgspec.DecodeError:
        return MASK


def _secrets(contract: Contract) -> set[str]:
    parts = (contract, *contract.nested())
    return {column.name for part in parts for column in part.columns if column.pii}


def _hide(row: Any, contract: Contract) -> Any:
    if not isinstance(row, dict):
        return MASK
    columns = {column.name: column for column in contract.columns}
    children = dict(contract.children)

    def shown(name: str, value: Any) -> Any:
        if name in children:
            items = value if isinstance(value, list) else []
            return [_hide(item, children[name]) for item in items] if items else value
        column = columns.get(name)
        return MASK if value is not None and (column is None or column.pii) else value

    return {name: shown(name, value) for name, value in row.items()}


def _unmasked(edited: str, original: str) -> str:
    """What somebody has edited, with what was hidden from them put back."""
    if MASK not in edited:
        return edited
    try:
        was = msgspec.json.decode(original)
    except msgspec.DecodeError:
        was = None
    if edited == MASK or not isinstance(was, dict):
        return original if edited == MASK else edited
    try:
        now = msgspec.json.decode(edited)
    except msgspec.DecodeError:
        return edited
    back = _put_back(now, was)
    return original if back == was else msgspec.json.encode(back).decode()


def _put_back(now: Any, was: Any) -> Any:
    if now == MASK:
        return was
    if isinstance(now, dict) and isinstance(was, dict):
        return {name: _put_back(value, was.get(name, value)) for name, value in now.items()}
    if isinstance(now, list) and isinstance(was, list) and len(now) == len(was):
        return [_put_back(value, before) for value, before in zip(now, was, strict=True)]
    return now
