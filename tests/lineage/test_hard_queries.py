"""Queries that are hard to trace: the truth is written by hand, and Postgres has to accept each."""

import psycopg2
import pytest

from orchestration.lineage.columns import derive
from orchestration.warehouse import Warehouse
from tests.lineage.hard import QUERIES as FIRST
from tests.lineage.hard import TABLES, TYPES, Hard
from tests.lineage.scoring import SCHEMA, Score, edges_of, truth_of
from tests.lineage.unseen import UNSEEN

QUERIES = [*FIRST, *UNSEEN]

UNLISTED = """
create schema mart; create table mart.this (id int, amount numeric, at timestamp);
create schema one; create table one.things (sku text, name text);
create schema two; create table two.things (sku text, name text);
create schema elsewhere; create table elsewhere.events (kind text, at timestamp);
"""


@pytest.mark.parametrize("query", QUERIES, ids=[query.name for query in QUERIES])
def test_a_hard_query_is_traced_exactly(query: Hard) -> None:
    found = derive(query.sql, SCHEMA)
    assert edges_of(found) == truth_of(query)
    assert bool(found.problems) == query.unknown, found.problems
    assert query.unknown or list(found.columns) == list(query.columns)


def test_postgres_accepts_the_queries_and_names_their_columns_so(warehouse: Warehouse) -> None:
    refused = []
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(TYPES)
        for name, columns in TABLES.items():
            cursor.execute(f'create table "{name}" ({columns})')
        cursor.execute(UNLISTED)
        for query in QUERIES:
            try:
                cursor.execute(query.sql)
            except psycopg2.Error:
                refused.append(query.name)
                continue
            names = [column.name for column in cursor.description]
            assert query.unknown or list(dict.fromkeys(names)) == list(query.columns), query.name
    assert refused == ["a column that is not there", "no SQL"]


def test_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    score, exact = Score(), 0
    for query in QUERIES:
        found, truth = edges_of(derive(query.sql, SCHEMA)), truth_of(query)
        score.add(found, truth)
        exact += found == truth
    with capsys.disabled():
        print(f"\nhard queries: {exact} of {len(QUERIES)} exact, {score}")
    assert exact == len(QUERIES) > 90
