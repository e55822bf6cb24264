"""A database for each test, and plain SQL against it."""

import itertools

from orchestration.warehouse import Warehouse

_numbers = itertools.count(1)
END_ALL = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s"


def make_database(
    server: Warehouse, like: Warehouse | None = None, name: str | None = None
) -> Warehouse:
    """Create a database, empty or as a copy of another one, and return where it is.

    One that already has the name makes room under another: dropping it would take a checkpoint.
    """
    another = f"test_{next(_numbers)}"
    template = f" template {like.dbname}" if like else ""
    with server.session() as session, session.cursor() as cursor:
        cursor.execute("select from pg_database where datname = %s", (name,))
        if cursor.rowcount:
            cursor.execute(END_ALL, (name,))
            cursor.execute(f"alter database {name} rename to {another}")
        cursor.execute(f"create database {name or another}{template}")
    return Warehouse(server.host, server.port, server.user, server.password, name or another)


def query(warehouse: Warehouse, sql: str, *values: object) -> list[tuple]:
    """All rows of a query."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
