"""Which row of a mart somebody means; and where else its key is, when the mart has no such row."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from psycopg2 import sql

from ingestion.registry import SOURCES
from ingestion.stored import holding
from orchestration.errors import ConfigurationError
from orchestration.history.diff import COLUMNS, KEYS
from orchestration.lineage.graph import UP, Graph
from orchestration.publication.versions import LIVE, Version

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

Key = Mapping[str, str]
LOAD_ID = "_dlt_load_id"
SHOWN = 3  # rows of the quarantine
NEWEST = """
select t._dlt_load_id, l.inserted_at, to_jsonb(t) ->> '_dlt_valid_to'
from {table} as t join {loads} as l on l.load_id = t._dlt_load_id and l.status = 0
where {key} order by t._dlt_load_id desc, to_jsonb(t) ->> '_dlt_valid_to' desc nulls first limit 1
"""


def find_mart(marts: Sequence[str], name: str) -> str:
    """The mart of that name, with or without its schema.

    Raises:
        ConfigurationError: there is none; says which there are.
    """
    name = name.removeprefix(f"{LIVE}.")
    if name in marts:
        return name
    close = get_close_matches(name, marts, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise ConfigurationError(
        f"There is no mart {name!r}.{meant} Marts: {', '.join(sorted(marts))}."
    )


def read_key(cursor: "cursor", stored: tuple[str, str], given: Sequence[str]) -> Key:
    """Column to value: of `col=value` as they stand, of values alone by the unique index.

    Raises:
        ConfigurationError: no such column, too few or too many values, or no unique index.
    """
    cursor.execute(COLUMNS, stored)
    columns = [name for name, _ in cursor.fetchall()]
    pairs = [value.partition("=") for value in given]
    if all(equals and name in columns for name, equals, _ in pairs):
        return {name: value for name, _, value in pairs}
    cursor.execute(KEYS, stored)
    key: list[str] = (cursor.fetchone() or ([],))[0]
    if key and len(key) == len(given):
        return dict(zip(key, given, strict=True))
    raise ConfigurationError(
        f"{' '.join(given)!r} names no row of {stored[1]}: "
        + (f"give {' and '.join(key)}, one after the other" if key else "it has no unique index")
        + f", or COLUMN=VALUE of any of its columns: {', '.join(columns)}."
    )


def where_else(
    cursor: "cursor", graph: Graph, version: Version, stored: tuple[str, str], key: Key
) -> str:
    """What to tell somebody who asked for a row that is not there."""
    mart = next(each for each in graph.nodes.values() if each.relation == f"{LIVE}.{stored[1]}")
    shown = ", ".join(f"{name} {value!r}" for name, value in key.items())
    told = [f"{mart.relation} (version {version.number}) has no row of {shown}."]
    for relation, values in _in_raw(graph, mart.id, key).items():
        told.append(_newest(cursor, relation, values, version))
    waiting = [each for source in SOURCES for each in holding(cursor, source, [*key.values()])]
    for table, row in waiting[:SHOWN]:
        told.append(
            f"A row of {table} that holds it is in quarantine: run {row['run_id']} set it aside "
            f"(page {row['page']}, row {row['row_number']} of {row['endpoint']}): {row['path']}: "
            f"{row['reason']}. See `.venv/bin/ecluse quarantine show {table}`."
        )
    if len(waiting) > SHOWN:
        told.append(f"There are {len(waiting) - SHOWN} more such rows.")
    return " ".join(told if waiting else [*told, "No row in quarantine holds it."])


def _in_raw(graph: Graph, mart: str, key: Key) -> dict[str, dict[str, str]]:
    """Tables of raw that have all columns of the key, and the key in their columns' names."""
    found: dict[str, dict[str, str]] = {}
    for name, value in key.items():
        for edge in graph.walk(mart, name, UP):
            node = graph.nodes[edge.from_node]
            loaded = node.layer == "raw" and any(each.name == LOAD_ID for each in node.columns)
            if loaded and edge.from_column:
                found.setdefault(node.relation, {})[edge.from_column] = value
    return {relation: row for relation, row in found.items() if len(row) == len(key)}


def _newest(cursor: "cursor", relation: str, row: Key, version: Version) -> str:
    schema, _, table = relation.partition(".")
    names = {"table": sql.Identifier(schema, table), "loads": sql.Identifier(schema, "_dlt_loads")}
    where = sql.SQL(" and ").join(
        sql.SQL("t.{}::text = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in row.items()
    )
    cursor.execute(sql.SQL(NEWEST).format(**names, key=where))
    load_id, completed, retired = cursor.fetchone() or (None, None, None)
    if load_id is None:
        return f"{relation} has no such row either."
    came = f"{relation} has it, from load {load_id} of {completed:%Y-%m-%d %H:%M} UTC"
    if version.watermark is None or load_id > version.watermark:
        return f"{came}, which the marts were not built from yet: `.venv/bin/ecluse run`."
    return f"{came}{f', gone from the source since {retired}' if retired else ''}."
