"""Marts for the tests of publication, as a build leaves them: two tables of one version."""

from orchestration import ops
from orchestration.publication.chamber import prepare, seal
from orchestration.publication.switch import Manner, Switched
from orchestration.publication.switch import switch as switch_to
from orchestration.publication.versions import LIVE, NEXT, all_versions, find, standing_in
from orchestration.warehouse import Warehouse
from tests.databases import query

ROWS = 50
PII_ROLE = "ecluse_pii"


def build(warehouse: Warehouse, version: int, *more: str, **masked: list[str]) -> None:
    """What a build does: marts__next is made anew, each table with its key, index and comment."""
    with warehouse.session() as session:
        ops.create_tables(session)
        prepare(session, f"run-{version}", "abc123")
        with session.cursor() as cursor:
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
        seal(session, masked, PII_ROLE)


def switch(warehouse: Warehouse, timeout: float = 10.0, **manner: object) -> Switched:
    """Publish what was built, on a connection of its own."""
    with warehouse.session() as session:
        with session.cursor() as cursor:
            version = standing_in(cursor, NEXT)
        assert version
        how = Manner(timeout, **manner)  # type: ignore[arg-type]
        return switch_to(session, version, version.run_id or "", "publication", how)


def roll_back(warehouse: Warehouse, to: str = "previous", **manner: object) -> Switched:
    """Bring a kept version back."""
    with warehouse.session() as session:
        with session.cursor() as cursor:
            version = find(all_versions(cursor), to)
        return switch_to(session, version, "the rollback", "rollback", Manner(**manner))  # type: ignore[arg-type]


def release(warehouse: Warehouse, version: int, *more: str, **manner: object) -> Switched:
    """Build and publish a version."""
    build(warehouse, version, *more)
    return switch(warehouse, **manner)


def live_number(warehouse: Warehouse) -> int:
    """The number of the live version in the register."""
    with warehouse.session() as session, session.cursor() as cursor:
        version = standing_in(cursor, LIVE)
    assert version
    return version.number


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
