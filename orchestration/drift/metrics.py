"""Measures a table: one statement, one scan.

Rows, nulls, extremes, means and lengths are exact. Distinct values, quantiles and the shares of
categories are those of the rows looked at: all, or in a larger table a random sample of about
SAMPLE, which the scan puts into an array for each column, so that hashing and sorting stay cheap.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.drift.detector import LEVEL, SHARE, VOLUME
from orchestration.drift.tables import Table

if TYPE_CHECKING:
    from psycopg2.extensions import cursor
    from psycopg2.sql import Composable

COLUMNS = Path(__file__).with_name("columns.sql").read_text()
LOAD_ID = "_dlt_load_id"
OF_THE_LOADER = {LOAD_ID, "_page"}  # say how a row came, and nothing of the shop
SAMPLE = 20_000
CATEGORIES, LONGEST = 10, 60  # more values, or longer ones, are no categories
QUANTILES = ("p05", "p50", "p95")
LAG = "lag_minutes"  # the age of the newest row of a source table
SHARE_OF = "share of "
# How a metric is judged. Extremes and quantiles are measured only: one odd row makes an extreme,
# and a quantile of few different values jumps from one to the next.
KINDS = {
    "rows": VOLUME, "rows_loaded": VOLUME, LAG: VOLUME, "distinct": VOLUME,
    "null_share": SHARE, "mean": LEVEL, "length": LEVEL,
}  # fmt: skip
# Read, in one scan: what is counted of a column c, and an array a of its values to look at closely.
COUNTED = {
    "n": "count({c}) filter (where mine)",
    "a": "array_agg({c}) filter (where mine and looked and {c} is not null)",
    "min": "min({c}) filter (where mine)",
    "max": "max({c}) filter (where mine)",
    "mean": "avg({c}) filter (where mine)",
    "length": "avg(length({c})) filter (where mine)",
}
LOOKED_AT = {
    "distinct": "(select count(*) from (select from unnest({a}) as v group by v) as g)",
    "quantiles": (
        "(select to_jsonb(percentile_disc(array[0.05, 0.5, 0.95]) within group (order by v)) "
        "from unnest({a}) as v)"
    ),
    "categories": (
        "(select jsonb_object_agg(v, n) from (select v::text, count(*) as n from unnest({a}) as v "
        "group by v limit {most}) as g)"
    ),
}
READ = {"number": "{c}::double precision"}
STATEMENT = """
with scanned as (
    select count(*) as total, count(*) filter (where mine) as loaded, {counted}
    from (select {mine} as mine, random() < {share} as looked, {read} from {table}) as rows_read
)
select total, loaded, to_jsonb(array[{looked_at}]::jsonb[]) from scanned
"""


@dataclass(frozen=True)
class Metric:
    """What was measured; `column` is empty where it is the table's own."""

    table: str
    column: str
    metric: str
    value: float

    @property
    def kind(self) -> str | None:
        """How it is judged, if at all."""
        return SHARE if self.metric.startswith(SHARE_OF) else KINDS.get(self.metric)


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    comparable: bool
    wanted: tuple[str, ...]  # keys of COUNTED and LOOKED_AT beyond what every column has


def measure(cursor: "cursor", table: Table, load_ids: list[str] | None = None) -> list[Metric]:
    """All metrics of a table; of a raw table those of the rows that these loads brought.

    Values of a column tagged `pii` are never among them, nor the texts of a raw table, where a tag
    is easily forgotten. One that is not there has no metrics.
    """
    from psycopg2 import sql

    cursor.execute(COLUMNS, {"schema": table.schema, "table": table.table})
    columns = [_column(table, *row) for row in cursor.fetchall() if row[0] not in OF_THE_LOADER]
    if not columns:
        return []
    name = sql.Identifier(table.schema, table.table)
    cursor.execute(sql.SQL("explain (format json) select from {}").format(name))
    guessed = (cursor.fetchone() or ())[0][0]["Plan"]["Plan Rows"]
    cursor.execute(_statement(columns, name, load_ids, SAMPLE / max(guessed, 1)))
    total, loaded, measured = cursor.fetchone() or (0, 0, [])
    found = [("", "rows", total)] + ([("", "rows_loaded", loaded)] if load_ids is not None else [])
    for column, values in zip(columns, measured, strict=True):
        found += [(column.name, metric, value) for metric, value in _metrics(values, loaded)]
    return [
        Metric(table.name, column, metric, float(value))
        for column, metric, value in found
        if value is not None and math.isfinite(float(value))
    ]


def _column(table: Table, name: str, type_: str, comparable: bool) -> _Column:
    wanted: tuple[str, ...] = ("length",) if type_ == "text" else ()
    if name not in table.pii:
        wanted += ("min", "max", "mean", "quantiles") if type_ == "number" else ()
        wanted += ("categories",) if type_ in ("text", "boolean") and not table.source else ()
    return _Column(name, type_, comparable, wanted)


def _metrics(values: dict[str, Any], rows: int) -> list[tuple[str, Any]]:
    known = values.pop("known")
    quantiles, categories = values.pop("quantiles", None), values.pop("categories", None) or {}
    found = [("null_share", 1 - known / rows)] if rows else []
    found += [*values.items()] if known else []
    found += [*zip(QUANTILES, quantiles or (), strict=False)]
    if len(categories) <= CATEGORIES and max(map(len, categories), default=0) <= LONGEST:
        looked = sum(categories.values())
        found += [(SHARE_OF + name, count / looked) for name, count in categories.items()]
    return found


def _statement(
    columns: list[_Column], table: "Composable", load_ids: list[str] | None, share: float
) -> "Composable":
    """One row: all rows, those that count, and for each column an object of what was found.

    No argument is left to be filled in, so that a column may have a % in its name.
    """
    from psycopg2 import sql

    read, counted, looked_at = [], [], []
    for number, column in enumerate(columns):
        own = {key: sql.Identifier(f"{key}{number}") for key in ("c", *COUNTED)}
        source = READ.get(column.type, "{c}") if column.comparable else "{c}::text"
        read.append(sql.SQL(source + " as {to}").format(c=sql.Identifier(column.name), to=own["c"]))
        pairs = [sql.SQL("'known', {n}").format(n=own["n"])]
        for key in ("n", "a", *column.wanted):
            if key in COUNTED:
                counted.append(sql.SQL(COUNTED[key] + " as {to}").format(c=own["c"], to=own[key]))
        for key in ("distinct", *column.wanted):
            value = sql.SQL(LOOKED_AT.get(key, "{" + key + "}"))
            pairs.append(
                sql.SQL("{}, {}").format(
                    sql.Literal(key), value.format(most=sql.Literal(CATEGORIES + 1), **own)
                )
            )
        looked_at.append(sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs)))
    mine: Composable = sql.SQL("true")
    if load_ids is not None:
        mine = sql.SQL("coalesce({} = any({}::text[]), false)").format(
            sql.Identifier(LOAD_ID), sql.Literal(load_ids)
        )
    comma = sql.SQL(", ")
    return sql.SQL(STATEMENT).format(
        counted=comma.join(counted), mine=mine, share=sql.Literal(share), read=comma.join(read),
        table=table, looked_at=comma.join(looked_at),
    )  # fmt: skip
