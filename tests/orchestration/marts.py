"""Marts for the tests of publication, as a build leaves them: two tables of one version."""

from orchestration.publish import Publication, prepare, publish
from orchestration.warehouse import Warehouse
from tests.databases import query

ROWS = 50


def build(warehouse: Warehouse, version: int, *more: str) -> None:
    """What dbt does: marts__next is made anew, each table with its key, index and comment."""
    with warehouse.session() as session:
        prepare(session)
        with session.cursor() as cursor:
            cursor.execute("create schema marts__next")
            for table in ("customers", "orders"):
                cursor.execute(
                    f"create table marts__next.{table} as "
                    f"select n as id, {version} as version from generate_series(1, {ROWS}) as n"
                )
                cursor.execute(f"alter table marts__next.{table} add primary key (id)")
                cursor.execute(f"create index on marts__next.{table} (version)")
                cursor.execute(f"comment on table marts__next.{table} is 'version {version}'")
            for statement in more:
                cursor.execute(statement)


def switch(warehouse: Warehouse, timeout: float = 10.0) -> Publication:
    """Publish what was built, on a connection of its own."""
    with warehouse.session() as session:
        return publish(session, timeout)


def release(warehouse: Warehouse, version: int, *more: str) -> Publication:
    """Build and publish a version."""
    build(warehouse, version, *more)
    return switch(warehouse)


def version_in(warehouse: Warehouse, schema: str = "marts") -> int:
    """The version that a schema holds."""
    ((found,),) = query(warehouse, f"select distinct version from {schema}.orders")
    return int(found)


def schemas(warehouse: Warehouse) -> list[str]:
    """The schemas of marts that there are."""
    found = query(
        warehouse, "select nspname from pg_namespace where nspname like 'marts%%' order by 1"
    )
    return [name for (name,) in found]
