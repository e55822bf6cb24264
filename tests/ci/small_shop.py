"""A shop of two tables with history, one of whose marts holds personal data; dbt in a second."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestration.ci.findings import Report
from orchestration.ci.job import Options
from orchestration.ci.run import run_ci
from orchestration.console import Console
from orchestration.errors import EcluseError
from orchestration.steps import whole_run
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import own_environment
from tests.orchestration.small import SmallPipe

ROLES = {"ECLUSE_ROLE_PREFIX": "ci_shop"}  # roles belong to the server, which others test on
NO_PAGES = "collect"  # dbt's docs, which nothing here reads
STAGING = """\
select * from {{{{ source('shop', '{0}') }}}}
{{% if var('as_of_load') is not none %}}
where _dlt_load_id <= '{{{{ var("as_of_load") }}}}'
{{% endif %}}
"""
ORDERS = "select id, customer_id, amount from {{ ref('stg_shop__orders') }}\n"
JOIN = "    left join spent on customers.id = spent.customer_id\n"
INNER = JOIN.replace("left", "inner")
CUSTOMERS = f"""\
with customers as (
    select * from {{{{ ref('stg_shop__customers') }}}}
),

spent as (
    select
        customer_id,
        sum(amount) as amount
    from {{{{ ref('orders') }}}}
    group by customer_id
),

joined as (
    select
        customers.id,
        customers.name,
        cast(coalesce(spent.amount, 0) as integer) as amount
    from customers
{JOIN})

select * from joined
"""
SOURCES = """
sources:
  - name: shop
    schema: raw_shop
    tables: [{name: orders}, {name: customers}]
"""
MODELS = """
models:
  - name: orders
    config: {indexes: [{columns: [id], unique: true}]}
    columns:
      - {name: id, data_type: integer, constraints: [{type: not_null}], data_tests: [unique]}
      - {name: customer_id, data_type: integer}
      - {name: amount, data_type: integer}
  - name: customers
    config: {indexes: [{columns: [id], unique: true}]}
    columns:
      - {name: id, data_type: integer, constraints: [{type: not_null}]}
      - {name: name, data_type: text, config: {tags: [pii]}}
      - {name: amount, data_type: integer}
exposures:
  - {name: board, type: dashboard, owner: {name: Ada}, depends_on: [ref('customers')]}
unit_tests:
  - name: a_customer_sums_their_orders
    model: customers
    given:
      - {input: ref('stg_shop__customers'), rows: [{id: 1, name: Ada}]}
      - input: ref('orders')
        rows: [{id: 1, customer_id: 1, amount: 2}, {id: 2, customer_id: 1, amount: 3}]
    expect: {rows: [{id: 1, name: Ada, amount: 5}]}
"""
RAW = """
create schema raw_shop;
create table raw_shop._dlt_loads (load_id text, status int);
create table raw_shop.orders (id int, customer_id int, amount int, _dlt_load_id text);
create table raw_shop.customers (id int, name text, _dlt_load_id text);
insert into raw_shop.customers select n, 'Person ' || n, '1000.0' from generate_series(1, 50) as n;
-- customers 41 to 50 have bought nothing
insert into raw_shop.orders select n, 1 + n % 40, n, '1000.0' from generate_series(1, 200) as n;
insert into raw_shop._dlt_loads values ('1000.0', 0);
select 1
"""
SECOND_DAY = """
insert into raw_shop.orders select n, 1 + n % 50, 7, '2000.0' from generate_series(201, 260) as n;
insert into raw_shop._dlt_loads values ('2000.0', 0);
select 1
"""


class Shop:
    """The shop, published once; `ci` is what a pull request's job would find."""

    def __init__(self, root: Path, warehouse: Warehouse) -> None:
        with own_environment():
            self.pipe = SmallPipe(root, warehouse)
            self.pipe.variables = dict(ROLES)
            query(warehouse, f"drop schema raw_shop cascade; {RAW}")
            (root / "dbt_project/tests/no_large_amount.sql").unlink()
            self.restore()
            self.version = self.pipe.perform(whole_run, "ingest", NO_PAGES)
        self.warehouse, self.root = warehouse, root

    def restore(self) -> None:
        """The code that was published."""
        for name in ("orders", "customers"):
            self.write(f"models/staging/stg_shop__{name}.sql", STAGING.format(name))
        self.write("models/staging/_sources.yml", SOURCES)
        self.write("models/marts/orders.sql", ORDERS)
        self.write("models/marts/customers.sql", CUSTOMERS)
        self.write("models/marts/_models.yml", MODELS)

    def write(self, name: str, text: str) -> None:
        """Change a file of dbt_project."""
        self.pipe.write(name, text)

    def ci(
        self, *allow: str, state: Path | None = None, linted: bool = False, user: str = "postgres"
    ) -> tuple[Report, EcluseError | None]:
        """`ecluse ci` in this process."""
        options = Options(state, 100, linted)
        with own_environment():
            os.environ.pop("ECLUSE_RUN_ID", None)
            warehouse = replace(self.warehouse, user=user)
            settings = replace(self.pipe.settings, warehouse_url=warehouse.url())
            return run_ci(settings, options, allow, Console(quiet=True))

    def ask(self, sql: str, *values: Any) -> list[tuple]:
        """All rows of a query."""
        return query(self.warehouse, sql, *values)

    def schemas(self) -> list[str]:
        """What CI jobs have in the warehouse."""
        return ci_schemas(self.warehouse)


def ci_schemas(warehouse: Warehouse) -> list[str]:
    """What CI jobs have in a warehouse."""
    found = "select nspname from pg_namespace where nspname like 'ci%' order by 1"
    return [name for (name,) in query(warehouse, found)]
