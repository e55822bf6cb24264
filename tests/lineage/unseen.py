"""More hard queries, written after the walker was, by somebody who did not look at it meanwhile.

As in `hard.py`; the first try was right on 44 of 48 such, and nowhere guessed.
"""

from tests.lineage.hard import Hard

UNSEEN = [
    Hard("a whole row as a column",
         "select p from products p",
         {"p": "products.sku products.name products.price products.parent"}),
    Hard("a row of columns, counted",
         "select count(distinct (sku, qty)) as n, row(max(id), min(price)) as r from items",
         {"n": "items.sku items.qty", "r": "items.id items.price"}),
    Hard("columns with their schema",
         "select one.things.sku, things.name from one.things where one.things.sku <> ''",
         {"sku": "one.things.sku", "name": "one.things.name"},
         "one.things.sku"),
    Hard("a self join",
         "select a.name as who, b.name as by_whom from customers a left join customers b on "
         "b.id = a.referred_by",
         {"who": "customers.name", "by_whom": "customers.name"},
         "customers.id customers.referred_by"),
    Hard("a natural left join",
         "select store_id, target from orders natural left join days",
         {"store_id": "orders.store_id", "target": "days.target"},
         "orders.store_id days.store_id"),
    Hard("a subquery in ON",
         "select c.id, o.amount from customers c join orders o on o.customer_id = c.id and "
         "o.at = (select max(at) from orders x where x.customer_id = c.id)",
         {"id": "customers.id", "amount": "orders.amount"},
         "orders.customer_id customers.id orders.at"),
    Hard("functions with words in them",
         "select substring(name from 1 for id) as a, position('x' in city) as b, trim(both 'y' "
         "from name) as c, overlay(city placing name from 2) as d from customers",
         {"a": "customers.name customers.id", "b": "customers.city", "c": "customers.name",
          "d": "customers.city customers.name"}),
    Hard("operators",
         "select payload @> '{}'::jsonb as a, tags && array[status] as b, payload ?| tags as "
         "c, amount is distinct from store_id as d, status ~* 'x' as e from orders",
         {"a": "orders.payload", "b": "orders.tags orders.status",
          "c": "orders.payload orders.tags", "d": "orders.amount orders.store_id",
          "e": "orders.status"}),
    Hard("FETCH WITH TIES",
         "select id from orders order by amount desc fetch first 3 rows with ties",
         {"id": "orders.id"},
         "orders.amount"),
    Hard("json constructors",
         "select json_object('a': sku, 'b': qty) as o, json_array(id, price) as r from items",
         {"o": "items.sku items.qty", "r": "items.id items.price"}),
    Hard("an outer aggregate in a subquery",
         "select c.city, (select max(o.amount) from orders o where o.store_id = max(c.id)) as "
         "m from customers c group by c.city",
         {"city": "customers.city", "m": "orders.amount ~ orders.store_id customers.id"},
         "customers.city"),
    Hard("a CTE within LATERAL",
         "with s as (select id, name from stores) select o.id, l.name from orders o left join "
         "lateral (with t as (select name from s where s.id = o.store_id) select name from t) "
         "l on true",
         {"id": "orders.id", "name": "stores.name"},
         "stores.id orders.store_id"),
    Hard("a union ordered by name",
         "select id as k from orders union all select id from items order by k desc limit 2",
         {"k": "orders.id items.id"},
         "orders.id items.id"),
    Hard("strings of other kinds",
         "select $$it's$$ || status as a, E'\\n' || status as b from orders",
         {"a": "orders.status", "b": "orders.status"}),
    Hard("gaps and islands",
         "with f as (select customer_id, at, case when at - lag(at) over (partition by "
         "customer_id order by at) > interval '1 day' then 1 else 0 end as brk from orders), g "
         "as (select *, sum(brk) over (partition by customer_id order by at) as grp from f) "
         "select customer_id, grp, min(at) as since, count(*) as n from g group by "
         "customer_id, grp",
         {"customer_id": "orders.customer_id", "grp": "orders.at orders.customer_id",
          "since": "orders.at", "n": "orders.*"},
         "orders.customer_id orders.at"),
    Hard("a pivot by FILTER",
         "select store_id, sum(amount) filter (where status = 'a') as a, sum(amount) filter "
         "(where status = 'b') as b from orders group by store_id",
         {"store_id": "orders.store_id", "a": "orders.amount orders.status",
          "b": "orders.amount orders.status"},
         "orders.store_id"),
    Hard("a cross join by comma",
         "select x.n + i.qty as s from (select 1 as n union select 2) x, items i",
         {"s": "items.qty"}),
    Hard("BETWEEN SYMMETRIC, LIKE ANY",
         "select id from customers where name like any (array['a', city]) and id between "
         "symmetric 1 and referred_by",
         {"id": "customers.id"},
         "customers.name customers.city customers.id customers.referred_by"),
    Hard("an alias that hides its column",
         "select date_trunc('day', at) as at, sum(amount) as amount from orders group by "
         "date_trunc('day', at) order by amount",
         {"at": "orders.at", "amount": "orders.amount"},
         "orders.at orders.amount"),
    Hard("a union within a union",
         "select * from (select * from (select id, name from customers union all select id, "
         "name from stores) a union all select id, sku from items) b",
         {"id": "customers.id stores.id items.id",
          "name": "customers.name stores.name items.sku"}),
    Hard("set-returning functions in two places",
         "select o.id, unnest(o.tags) as t, (select array_agg(x order by x) from "
         "unnest(o.tags) x) as s from orders o",
         {"id": "orders.id", "t": "orders.tags", "s": "orders.tags"}),
    Hard("functions without an alias",
         "select coalesce(name, city), greatest(id, referred_by), nullif(city, '') from "
         "customers",
         {"coalesce": "customers.name customers.city",
          "greatest": "customers.id customers.referred_by", "nullif": "customers.city"}),
    Hard("CASE and casts without an alias",
         "select case when id > 1 then name else city end, id::text, upper(name) from "
         "customers",
         {"city": "customers.id customers.name customers.city", "id": "customers.id",
          "upper": "customers.name"}),
    Hard("recursion over a CTE, then USING",
         "with recursive base as (select id, referred_by from customers where city = 'x'), r "
         "as (select id, 0 as d from base where referred_by is null union select b.id, r.d + 1 "
         "from base b join r on b.referred_by = r.id) select r.id, r.d, c.name from r join "
         "customers c using (id)",
         {"id": "customers.id", "d": "", "name": "customers.name"},
         "customers.city customers.referred_by customers.id"),
    Hard("a chain of LATERAL",
         "select o.id, a.v, b.w from orders o cross join lateral (select o.amount * 2 as v) a "
         "cross join lateral (select a.v + o.store_id as w) b where b.w > 0",
         {"id": "orders.id", "v": "orders.amount", "w": "orders.amount orders.store_id"},
         "orders.amount orders.store_id"),
    Hard("a recursion that keeps its path",
         "with recursive p as (select id, referred_by, array[id] as path from customers where "
         "referred_by is null union all select c.id, c.referred_by, p.path || c.id from "
         "customers c join p on p.id = c.referred_by where not c.id = any(p.path)) select id, "
         "array_length(path, 1) as depth, path[1] as root from p",
         {"id": "customers.id", "depth": "customers.id", "root": "customers.id"},
         "customers.referred_by customers.id"),
    Hard("unpivot by VALUES",
         "select o.id, u.kind, u.val from orders o cross join lateral (values ('amount', "
         "o.amount), ('store', o.store_id)) u(kind, val)",
         {"id": "orders.id", "kind": "", "val": "orders.amount orders.store_id"}),
    Hard("NOT EXISTS within NOT EXISTS",
         "select c.name from customers c where not exists (select from orders o where "
         "o.customer_id = c.id and not exists (select 1 from items i where i.order_id = o.id "
         "and i.sku = c.city))",
         {"name": "customers.name"},
         "orders.customer_id customers.id items.order_id orders.id items.sku customers.city"),
    Hard("a window over aggregates",
         "select store_id, sum(sum(amount)) over (order by store_id) as run, rank() over "
         "(order by count(*) desc) as r from orders group by store_id",
         {"store_id": "orders.store_id", "run": "orders.amount orders.store_id",
          "r": "orders.*"},
         "orders.store_id"),
    Hard("the fields of a composite type",
         "select (s.place).*, s.id from stores s",
         {"id": "stores.id"},
         unknown=True),
    Hard("a function of somebody's own, whose columns are named",
         "select f.b, g from orders o, pg_sleep_for(o.status::interval) as f(b), "
         "jsonb_object_keys(o.payload) g",
         {"b": "orders.status", "g": "orders.payload"},
         "orders.status orders.payload"),
    Hard("a function of somebody's own, whose columns nobody knows",
         "select s.*, o.id from orders o, pg_sleep_for(o.status::interval) s",
         {"id": "orders.id"},
         "orders.status",
         unknown=True),
]  # fmt: skip
