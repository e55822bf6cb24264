"""Which rows stand behind a row of some SQL: hard queries, with truth written by hand."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from psycopg2.extensions import cursor

from orchestration.publication.versions import LIVE, Version
from orchestration.tracing.views import Views
from orchestration.tracing.walk import Walk
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query

SHOP = """
create schema shop; create schema kept; create schema marts;
create table shop.orders (id int, customer text, store text, day date, cents int, extra json);
insert into shop.orders values
    (1, 'ann', 'north', '2024-01-01', 100, '{"a": 1}'),
    (2, 'ann', 'south', '2024-01-01', 250, '{}'), (3, 'bob', 'north', '2024-01-02', 300, null),
    (4, 'ann', 'north', '2024-01-02', 50, '{"a": 2}'),
    (5, null, 'north', '2024-01-03', 75, null);
create table shop.customers (id text, "Name" text);
insert into shop.customers values ('ann', 'Ann'), ('bob', 'Bob'), ('cid', 'Cid');
create table shop.items (id int, order_id int, sku text);
insert into shop.items values (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'x'), (4, 3, 'y');
select 1
"""
Rows = dict[str, set]
ORDERS, CUSTOMERS, ITEMS = "shop.orders", "shop.customers", "shop.items"
# what it is -> the SQL, the row that is traced, the rows behind it
CASES: dict[str, tuple[str, dict[str, str], Rows]] = {
    "a row computed of one": (
        "select id, cents / 100.0 as dollars from shop.orders where cents < 200",
        {"id": "4"}, {ORDERS: {4}},
    ),
    "the sum of a group": (
        "select customer, sum(cents) as cents from shop.orders group by 1", {"customer": "ann"},
        {ORDERS: {1, 2, 4}},
    ),
    "a group whose key is null": (
        "select customer, sum(cents) as cents from shop.orders group by customer", {"cents": "75"},
        {ORDERS: {5}},
    ),
    "a sum beside its order": (
        """with summed as (select order_id, count(*) as n from shop.items group by order_id)
        select orders.id, orders.cents, summed.n from shop.orders
        left join summed on orders.id = summed.order_id""",
        {"id": "1"}, {ORDERS: {1}, ITEMS: {1, 2}},
    ),
    "a left join that found nothing": (
        """select o.id, count(i.id) as n from shop.orders as o
        left join shop.items as i on i.order_id = o.id group by o.id""",
        {"id": "5"}, {ORDERS: {5}},
    ),
    "a left join of which nothing is used": (
        """with named as (
            select o.id, o.cents, c."Name" as name from shop.orders as o
            left join shop.customers as c on c.id = o.customer
        ) select id, cents from named""",
        {"id": "3"}, {ORDERS: {3}},
    ),
    "an inner join decides whether there is a row": (
        "select o.id from shop.orders as o join shop.customers as c on c.id = o.customer",
        {"id": "3"}, {ORDERS: {3}, CUSTOMERS: {"bob"}},
    ),
    "using": (
        "select id, c.\"Name\" from (select customer as id from shop.orders) as o "
        "join shop.customers as c using (id) group by 1, 2",
        {"id": "ann"}, {ORDERS: {1, 2, 4}, CUSTOMERS: {"ann"}},
    ),
    "union all, and brackets": (
        "select id::text as id from shop.orders union all (select id from shop.customers)",
        {"id": "bob"}, {CUSTOMERS: {"bob"}},
    ),
    "union of equal rows": (
        "select customer from shop.orders union select id from shop.customers",
        {"customer": "ann"}, {ORDERS: {1, 2, 4}, CUSTOMERS: {"ann"}},
    ),
    "except": (
        "select id from shop.customers except select customer from shop.orders",
        {"id": "cid"}, {CUSTOMERS: {"cid"}},
    ),
    "distinct": (
        "select distinct store, day from shop.orders", {"store": "north", "day": "2024-01-02"},
        {ORDERS: {3, 4}},
    ),
    "distinct on": (
        "select distinct on (customer) customer, id from shop.orders "
        "order by customer, day, id desc",
        {"customer": "ann"}, {ORDERS: {2}},
    ),
    "the newest of each": (
        """select * from (select *, row_number() over (partition by customer order by day desc)
        as back from shop.orders) as numbered where back = 1""",
        {"customer": "ann"}, {ORDERS: {4}},
    ),
    "a group of groups": (
        """with days as (select store, day, sum(cents) as cents from shop.orders group by 1, 2)
        select store, max(cents) as best from days group by store""",
        {"store": "north"}, {ORDERS: {1, 3, 4, 5}},
    ),
    "having": (
        "select store, count(*) as n from shop.orders group by store having count(*) > 1",
        {"store": "north"}, {ORDERS: {1, 3, 4, 5}},
    ),
    "the table with itself": (
        "select a.id, b.id as other from shop.orders as a join shop.orders as b "
        "on a.customer = b.customer and a.id < b.id",
        {"id": "1", "other": "4"}, {ORDERS: {1, 4}},
    ),
    "quoted names, and a CTE in a CTE": (
        """with "Outer" as (with inside as (select id as "Id", "Name" from shop.customers)
        select * from inside) select "Id", upper("Name") as "Loud" from "Outer" """,
        {"Loud": "ANN"}, {CUSTOMERS: {"ann"}},
    ),
    "types without an equals sign": (
        "select store, extra from shop.orders where extra is not null", {"store": "south"},
        {ORDERS: {2}},
    ),
    "windows beside a row": (
        """select id, cents, sum(cents) filter (where day < '2024-01-03') over (partition by store),
        cents * 100 / sum(cents) over () as share from shop.orders""",
        {"id": "2"}, {ORDERS: {2}},
    ),
    "a function in FROM": (
        "select o.id, n from shop.orders as o cross join generate_series(1, 2) as n",
        {"id": "2", "n": "2"}, {ORDERS: {2}},
    ),
    "arrays of a group": (
        "select store, array_agg(id order by id) as ids from shop.orders group by store",
        {"store": "south"}, {ORDERS: {2}},
    ),
    "one name for two subqueries": (
        """select a.n + b.n as n, a.store from (select store, count(*) as n from shop.orders
        where cents > 80 group by 1) as a join (select store, count(*) as n from shop.orders
        where cents <= 80 group by 1) as b on a.store = b.store""",
        {"store": "north"}, {ORDERS: {1, 3, 4, 5}},
    ),
}  # fmt: skip
NOT_FOLLOWED = {
    "select count(*) as n from shop.orders": "made of all rows",
    "select store, day, count(*) as n from shop.orders group by rollup (1, 2)": "in several ways",
    """with recursive up as (select 5 as n union all select n - 1 from up where n > 5)
    select * from up""": "recursive",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(server: Warehouse) -> Warehouse:
    warehouse = make_database(server)
    query(warehouse, SHOP)
    return warehouse


@contextmanager
def walked(
    shop: Warehouse,
    sql: dict[str, str],
    key: dict[str, str],
    stored: str = "",
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[cursor, Rows, list[str]]]:
    """The rows behind a row of marts.m, by the ids of each table; a note for what was not found.

    `sql` is that of each model, the last one of marts.m; `stored` is how its table is made, `kinds`
    how dbt materializes the others.
    """
    nodes = {
        name: {
            "resource_type": "model", "name": name.rpartition(".")[2], "compiled_code": each,
            "schema": name.rpartition(".")[0], "config": {"materialized": kinds.get(name, "table")},
        }
        for name, each in sql.items()
    }  # fmt: skip
    version = Version(1, None, None, LIVE, None, None, None, None, None)
    with shop.session() as session, session.cursor() as at:
        at.execute("begin")
        at.execute(stored or f"create table marts.m as {sql['marts.m']}")
        views = Views(at, version, {}, {"nodes": nodes})
        found: Rows = {}
        for relation, table, count in Walk(at, views).back("marts.m", key):
            if relation.startswith("shop."):
                at.execute(f"select id from {table}")
                found[relation] = {id_ for (id_,) in at.fetchall()}
                assert len(found[relation]) == count
        yield at, found, views.notes
        at.execute("rollback")


@pytest.mark.parametrize("case", CASES)
def test_the_rows_behind_a_row_are_found_no_others_and_they_make_it_again(
    shop: Warehouse, case: str
) -> None:
    sql, key, truth = CASES[case]
    with walked(shop, {"marts.m": sql}, key) as (at, found, notes):
        assert ({table: ids for table, ids in found.items() if ids}, notes) == (truth, [])
        for table in (ORDERS, CUSTOMERS, ITEMS):
            ids = [str(id_) for id_ in found.get(table, ())]
            kept = f"create table {table.replace('shop', 'kept')} as select * from {table} "
            at.execute(f"{kept} where id::text = any (%s)", (ids,))
        rows = []
        where = " and ".join(f'm."{name}" = %s' for name in key)
        for each in ("select * from marts.m", sql.replace("shop.", "kept.")):
            at.execute(f"select m::text from ({each}) as m where {where}", (*key.values(),))
            rows.append(at.fetchall())
        # what a window adds is not followed
        assert rows[0] == rows[1] != [] or "windows" in case


@pytest.mark.parametrize("sql", NOT_FOLLOWED)
def test_what_cannot_be_followed_is_noted(shop: Warehouse, sql: str) -> None:
    with walked(shop, {"marts.m": sql}, {"n": "5"}) as (_, found, notes):
        assert not found
        assert NOT_FOLLOWED[sql] in notes[0]
        assert notes[0].startswith("marts.m")


def test_a_stored_table_may_have_other_types_and_another_order_of_columns(shop: Warehouse) -> None:
    sql = "select store, avg(cents) as mean from shop.orders group by store"
    stored = f"create table marts.m (mean numeric(6, 1), store varchar(9)); insert into marts.m select mean, store from ({sql}) as m"  # noqa: E501
    with walked(shop, {"marts.m": sql}, {"mean": "131.3"}, stored) as (_, found, _notes):
        assert found == {ORDERS: {1, 3, 4, 5}}


def test_only_what_the_row_needs_of_another_model_is_followed_there(shop: Warehouse) -> None:
    models = {
        "staging.rich": """with counted as (
                select order_id, count(*) as n from shop.items group by 1
            ) select o.id, o.cents, counted.n from shop.orders as o
            left join counted on counted.order_id = o.id""",
        "marts.m": "select id, cents from staging.rich",
    }
    made = "create table marts.m as select 1 as id, 100 as cents, 2 as n"
    with walked(shop, models, {"id": "1"}, made) as (_, found, notes):
        assert (found, notes) == ({ORDERS: {1}}, [])
    models["marts.m"] = "select id, n from staging.rich"
    with walked(shop, models, {"id": "1"}, made) as (_, found, notes):
        assert (found, notes) == ({ORDERS: {1}, ITEMS: {1, 2}}, [])


def test_what_is_not_made_anew_by_its_sql_is_read_as_it_is_stored(shop: Warehouse) -> None:
    models = {"shop.orders": "select 1 as id", "marts.m": "select id from shop.orders"}
    with walked(shop, models, {"id": "3"}, kinds={"shop.orders": "incremental"}) as walk:
        assert walk[1:] == (
            {ORDERS: {3}},
            ["shop.orders: it is incremental; what is behind is not shown"],
        )
