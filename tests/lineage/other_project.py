"""A dbt project of other habits than ours.

Seeds, snapshots, ephemeral and incremental models, quoted names, unions by a macro, one schema for
all, and one model whose SQL cannot be parsed.
"""

import json
from pathlib import Path
from typing import Any

from orchestration import dbt
from orchestration.warehouse import Warehouse
from tests.databases import query

RAW = """
create schema app;
create table app.users (id int, "Full Name" text, email text, updated_at timestamp);
create table app.sales_fr (id int, user_id int, cents int, at timestamp, lines jsonb);
create table app.sales_de (id int, user_id int, cents int, at timestamp, lines jsonb);
insert into app.users select n, 'U' || n, 'u@' || n, now() from generate_series(1, 5) n;
insert into app.sales_fr select n, n, n * 100, now(), '[{"sku": "a", "n": 2}]'
from generate_series(1, 5) n;
insert into app.sales_de select n, n, n * 90, now(), '[{"sku": "b", "n": 1}]'
from generate_series(1, 5) n;
select 1
"""
FILES = {
    "dbt_project.yml": """
name: other
profile: other
model-paths: [models]
seed-paths: [seeds]
snapshot-paths: [snapshots]
macro-paths: [macros]
models: {other: {+materialized: table}}
""",
    "seeds/rates.csv": "country,rate\nfr,0.2\nde,0.19\n",
    "macros/union_all.sql": """
{% macro union_all(countries) %}
{% for country in countries %}
select '{{ country }}' as country, id, user_id, cents, at, lines
from {{ source('app', 'sales_' ~ country) }}
{% if not loop.last %} union all {% endif %}
{% endfor %}
{% endmacro %}
""",
    "snapshots/users.yml": """
snapshots:
  - name: users_history
    relation: source('app', 'users')
    config: {unique_key: id, strategy: timestamp, updated_at: updated_at}
""",
    "models/sources.yml": """
sources:
  - name: app
    schema: app
    tables: [{name: users}, {name: sales_fr}, {name: sales_de}]
exposures:
  - name: board
    type: dashboard
    owner: {email: board@example.com}
    depends_on: [ref('revenue')]
models:
  - name: revenue
    config: {meta: {owner: {name: Ada, email: ada@example.com}}}
    columns:
      - {name: buyer, config: {tags: [pii]}}
""",
    "models/all_sales.sql": "{{ config(materialized='ephemeral') }}\n{{ union_all(['fr', 'de']) }}",
    "models/priced.sql": """
{{ config(materialized='ephemeral') }}
select s.*, s.cents * (1 + r.rate) as gross
from {{ ref('all_sales') }} s left join {{ ref('rates') }} r using (country)
""",
    "models/sold.sql": """
{{ config(materialized='incremental', unique_key='id') }}
with lines as (
    select p.id, p.user_id, p.gross, p.at, l.sku, l.n
    from {{ ref('priced') }} p
    cross join lateral jsonb_to_recordset(p.lines) as l(sku text, n int)
    {% if is_incremental() %}
    where p.at > (select coalesce(max(t.at), '1970-01-01') from {{ this }} t)
    {% endif %}
)
select *, sum(n) over (partition by user_id order by at) as running from lines
""",
    "models/revenue.sql": """
select u."Full Name" as buyer, sold.sku as "SKU", sum(gross) as total, count(*) as n,
    (select count(distinct h.email) from {{ ref('users_history') }} h where h.id = u.id) as emails
from {{ ref('sold') }} sold
join {{ source('app', 'users') }} u on u.id = sold.user_id
where exists (select 1 from {{ ref('users_history') }} x
              where x.id = u.id and x.dbt_valid_to is null)
group by 1, 2, u.id
""",
    "models/untold.sql": """
with recursive up(id, n) as (
    select id, 1 from {{ ref('sold') }} union all select id, n + 1 from up where n < 3
) cycle id set looped using way, one as (select 1)
select id, looped from up
""",
    "models/after_it.sql": "select id as key from {{ ref('untold') }}",
}
PROFILE = """
other:
  target: it
  outputs:
    it: {{type: postgres, host: {host}, port: 5432, user: {user}, password: "", dbname: {name},
         schema: everything, threads: 1}}
"""


def build_twice(folder: Path, warehouse: Warehouse) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build it, so that the incremental model reads itself; returns manifest and catalog."""
    query(warehouse, RAW)
    profile = PROFILE.format(host=warehouse.host, user=warehouse.user, name=warehouse.dbname)
    for name, text in {**FILES, "profiles.yml": profile}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    where = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--log-level", "none",
             "--log-path", str(folder / "logs")]  # fmt: skip
    for command in (["build"], ["docs", "generate"]):
        outcome = dbt.run_dbt([*command, *where])
        assert outcome.success, outcome.said
    target = folder / "target"
    manifest, catalog = (
        json.loads((target / name).read_text()) for name in ("manifest.json", "catalog.json")
    )
    return manifest, catalog
