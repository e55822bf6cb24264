"""A database for each test, and plain SQL against it."""

import itertools

from orchestration.warehouse import Warehouse

_numbers = itertools.count(1)


def make_database(server: Warehouse) -> Warehouse:
    """Create a database and return where it is."""
    name = f"test_{next(_numbers)}"
    with server.session() as session, session.cursor() as cursor:
        cursor.execute(f"create database {name}")
    return Warehouse(server.host, server.port, server.user, server.password, name)


def query(warehouse: Warehouse, sql: str, *values: object) -> list[tuple]:
    """All rows of a query."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
