"""What is measured is what pandas says, whatever the names; personal data is not among it."""

import io

import numpy as np
import pandas as pd
import pytest
from psycopg2 import sql

from orchestration.drift import metrics
from orchestration.drift.metrics import Metric, measure
from orchestration.drift.tables import Table
from orchestration.warehouse import Warehouse

NAMES = ("amount", 'a "quoted" %s {name}', "kind", "yes", "doc", "at", "list", "Größe")
TYPES = (
    "int",
    "numeric(9,2)",
    "text",
    "boolean",
    "json",
    "timestamp",
    "text[]",
    "double precision",
)


def _frame(rows: int) -> pd.DataFrame:
    dice = np.random.default_rng(3)
    values = {
        "amount": pd.Series(dice.integers(0, 50, rows))
        .where(dice.random(rows) > 0.2)
        .astype("Int64"),
        NAMES[1]: np.round(dice.normal(0, 100, rows), 2),
        "kind": dice.choice(["new", "paid", "Ünïcode"], rows),
        "yes": dice.random(rows) > 0.3,
        "doc": '{"a": 1}',
        "at": pd.Timestamp("2026-01-01"),
        "list": "{a,b}",
        "Größe": dice.exponential(1, rows),
    }
    return pd.DataFrame(values)


def _load(warehouse: Warehouse, frame: pd.DataFrame) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} " + kind).format(sql.Identifier(name))
        for name, kind in zip(NAMES, TYPES, strict=True)
    )
    with warehouse.session() as session, session.cursor() as cursor:
        table = sql.Identifier('odd "s"', "t %s")
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier('odd "s"')))
        cursor.execute(sql.SQL("create table {} ({})").format(table, columns))
        lines = io.StringIO(frame.to_csv(index=False, header=False))
        cursor.copy_expert(sql.SQL("copy {} from stdin csv").format(table).as_string(cursor), lines)


def _measure(warehouse: Warehouse, *pii: str) -> dict[tuple[str, str], float]:
    table = Table('odd "s"', "t %s", "marts.t", frozenset(pii))
    with warehouse.session() as session, session.cursor() as cursor:
        found = measure(cursor, table)
    assert {metric.table for metric in found} == {"marts.t"}
    return {(metric.column, metric.metric): metric.value for metric in found}


def test_every_metric_is_what_pandas_says(warehouse: Warehouse) -> None:
    frame = _frame(997)
    _load(warehouse, frame)
    found = _measure(warehouse)
    assert found["", "rows"] == 997
    for name in ("amount", NAMES[1], "Größe"):
        column = frame[name].dropna().astype(float)
        for metric, value in {
            "null_share": frame[name].isna().mean(), "distinct": column.nunique(),
            "min": column.min(), "max": column.max(), "mean": column.mean(),
        }.items():  # fmt: skip
            assert found[name, metric] == pytest.approx(value), (name, metric)
        for metric, share in {"p05": 0.05, "p50": 0.5, "p95": 0.95}.items():
            there = np.quantile(column, share, method="inverted_cdf")
            assert found[name, metric] == pytest.approx(there), (name, metric)
    for kind, share in frame["kind"].value_counts(normalize=True).items():
        assert found["kind", f"share of {kind}"] == pytest.approx(share)
    assert found["yes", "share of true"] == pytest.approx(frame["yes"].mean())
    assert found["kind", "length"] == pytest.approx(frame["kind"].str.len().mean())
    assert found["doc", "distinct"] == found["list", "distinct"] == found["at", "distinct"] == 1


def test_no_value_of_personal_data_is_measured(warehouse: Warehouse) -> None:
    _load(warehouse, _frame(200))
    found = _measure(warehouse, "kind", "amount", "yes")
    for name, kept in {
        "kind": {"null_share", "distinct", "length"},
        "amount": {"null_share", "distinct"},
        "yes": {"null_share", "distinct"},
    }.items():
        assert {metric for column, metric in found if column == name} == kept


def test_a_large_table_is_looked_at_in_part(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "SAMPLE", 2_000)
    frame = _frame(20_000)
    _load(warehouse, frame)
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute('analyze "odd ""s"""."t %s"')
    found = _measure(warehouse)
    assert found["", "rows"] == 20_000
    assert found["Größe", "mean"] == pytest.approx(frame["Größe"].mean())  # of all rows
    assert 1_700 < found["Größe", "distinct"] < 2_300  # of those looked at
    assert found["Größe", "p50"] == pytest.approx(frame["Größe"].median(), rel=0.15)
    assert found["yes", "share of true"] == pytest.approx(0.7, abs=0.05)


def test_of_a_raw_table_the_rows_of_these_loads_are_measured(warehouse: Warehouse) -> None:
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(
            "create schema raw_x; create table raw_x.t as select n as id, 'name ' || n as name, "
            "case when n <= 70 then 'a' else 'b' end as _dlt_load_id from generate_series(1, 100) n"
        )
        table = Table("raw_x", "t", "raw_x.t", frozenset(), source="x")
        found = measure(cursor, table, ["b", "c"])
        nothing = measure(cursor, table, [])
    values = {(metric.column, metric.metric): metric.value for metric in found}
    assert (values["", "rows"], values["", "rows_loaded"]) == (100, 30)
    assert (values["id", "min"], values["id", "max"]) == (71, 100)
    assert {metric for column, metric in values if column == "name"} == {
        "null_share", "distinct", "length",
    }  # fmt: skip
    assert nothing == [
        Metric("raw_x.t", "", "rows", 100.0), Metric("raw_x.t", "", "rows_loaded", 0.0),
    ]  # fmt: skip


def test_an_empty_table_and_one_that_is_not_there(warehouse: Warehouse) -> None:
    _load(warehouse, _frame(0))
    assert _measure(warehouse) == {("", "rows"): 0.0}
    with warehouse.session() as session, session.cursor() as cursor:
        assert measure(cursor, Table("no", "where", "marts.no", frozenset())) == []
