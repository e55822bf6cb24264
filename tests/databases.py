"""A database for each test, and plain SQL against it."""

import itertools

from orchestration.warehouse import Warehouse

_numbers = itertools.count(1)


def make_database(server: Warehouse, like: Warehouse | None = None) -> Warehouse:
    """Create a database, empty or as a copy of another one, and return where it is."""
    name = f"test_{next(_numbers)}"
    template = f" template {like.dbname}" if like else ""
    with server.session() as session, session.cursor() as cursor:
        cursor.execute(f"create database {name}{template}")
    return Warehouse(server.host, server.port, server.user, server.password, name)


def query(warehouse: Warehouse, sql: str, *values: object) -> list[tuple]:
    """All rows of a query."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
