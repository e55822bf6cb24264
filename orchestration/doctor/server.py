"""What the warehouse must be: there, new enough, UTF-8, ours to write in, and on the same time."""

import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from orchestration.doctor.finding import Finding, failed, warned, well
from orchestration.errors import EcluseError
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse, open_warehouse, parse_url

if TYPE_CHECKING:
    from psycopg2.extensions import connection

Session = AbstractContextManager["connection"]
APART = 5.0  # seconds between two clocks that nobody has to worry about
FACTS = """
select current_setting('server_version') as version,
    current_setting('server_encoding') as encoding,
    extract(epoch from clock_timestamp())::float8 as now,
    has_database_privilege(current_database(), 'create') as may_create,
    pg_has_role('pg_read_all_stats', 'usage') as sees_others,
    (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) as makes_roles,
    current_setting('max_connections')::int - (select count(*) from pg_stat_activity
        where backend_type = 'client backend') as free,
    pg_is_in_recovery() as standby,
    pg_size_pretty(pg_database_size(current_database())) as size
"""


def look(settings: Settings) -> Generator[Finding, None, Session | None]:
    """Check the warehouse; returns a session of it for those who look further, if it answers."""
    try:
        warehouse = open_warehouse(settings)
        with warehouse.session() as session:
            facts = _facts(session)
    except EcluseError as error:
        yield failed("warehouse", str(error), "docs/warehouse.md says what it must be")
        return None
    yield well("warehouse", f"{warehouse}: PostgreSQL {facts['version']}, {facts['size']}")
    yield from _shape(facts)
    yield from _rights(warehouse, facts)
    yield _clock(facts["now"])
    if settings.loader_url:
        yield _loader(settings.loader_url)
    return warehouse.session()


def _facts(session: "connection") -> dict[str, Any]:
    from orchestration import ops

    with session.cursor() as cursor:
        cursor.execute(FACTS)
        return ops.rows_of(cursor)[0]


def _shape(facts: dict[str, Any]) -> Iterator[Finding]:
    if facts["standby"]:
        mend = "give ECLUSE_WAREHOUSE_URL the primary"
        yield failed("warehouse", "it is a standby, which nobody can write to", mend)
    if facts["encoding"] != "UTF8":
        mend = "create database ... encoding 'UTF8' template template0"
        yield failed("warehouse", f"its encoding is {facts['encoding']}, not UTF8", mend)
    needed = 12  # the lock, four threads of dbt, dlt's parallel COPY
    if facts["free"] < needed:
        mend = "raise max_connections, or lower ECLUSE_DBT_THREADS"
        yield warned("warehouse", f"{facts['free']} connections are free; {needed} are used", mend)


def _rights(warehouse: Warehouse, facts: dict[str, Any]) -> Iterator[Finding]:
    user = warehouse.user
    if not facts["may_create"]:
        mend = f'let its owner run: grant create on database "{warehouse.dbname}" to "{user}";'
        yield failed("rights", f"{user} may create no schema", mend)
    if not facts["sees_others"]:
        said = "others' snapshots are hidden: publication waits for every open transaction"
        yield warned("rights", said, f'let a superuser run: grant pg_read_all_stats to "{user}";')
    if not facts["makes_roles"]:
        mend = "`.venv/bin/ecluse grants --sql` prints what an admin may run"
        yield warned("rights", f"{user} may make no roles", mend)
    if facts["may_create"] and facts["sees_others"] and facts["makes_roles"]:
        yield well("rights", "it may make schemas and roles, and see whom publication waits for")


def _clock(there: float) -> Finding:
    apart = abs(time.time() - there)
    if apart > APART:
        said = f"this machine and the warehouse are {apart:,.0f} s apart"
        return warned("clock", said, "set both by NTP: freshness and load ids tell by the clock")
    return well("clock", f"{apart:.1f} s from the warehouse's")


def _loader(url: str) -> Finding:
    try:
        with parse_url(url, "ECLUSE_LOADER_URL").session():
            return well("loader", "dlt's own login is let in")
    except EcluseError as error:
        return failed("loader", str(error), "`.venv/bin/ecluse grants --loader LOGIN`")
