"""Queries that are hard to trace, each with its truth, written by hand.

Truth: column -> its direct origins, and after a `~` the indirect ones of this column alone. `rows`:
what decides which rows there are. `t.*` is the table as a whole, as in count(*).
"""

from dataclasses import dataclass

TABLES = {
    "orders": "id int, customer_id int, store_id int, amount numeric, status text, "
              "at timestamp, tags text[], payload jsonb",
    "items": "id int, order_id int, sku text, qty int, price numeric",
    "customers": "id int, name text, city text, referred_by int",
    "products": "sku text, name text, price numeric, parent text",
    "stores": "id int, name text, place address, scores int[]",
    "days": "day date, store_id int, target numeric",
    "Mixed": '"Id" int, "Some Name" text, "select" text, id int',
}  # fmt: skip
TYPES = "create type address as (city text, zip text)"


@dataclass(frozen=True)
class Hard:
    """One query and what is true of it."""

    name: str
    sql: str
    columns: dict[str, str]
    rows: str = ""
    unknown: bool = False  # it cannot be read whole


QUERIES = [
    Hard("a chain of CTEs",
         "with a as (select id, amount as x from orders), b as (select id, x * 2 as y from a), "
         "c as (select * from b) select y as z, id from c",
         {"z": "orders.amount", "id": "orders.id"}),
    Hard("a CTE named as the table it reads",
         "with orders as (select id, amount from orders where status = 'x') select * from orders",
         {"id": "orders.id", "amount": "orders.amount"}, "orders.status"),
    Hard("a CTE that an inner one hides",
         "with a as (select id as v from orders) select * from "
         "(with a as (select sku as v from items) select v from a) s",
         {"v": "items.sku"}),
    Hard("a CTE that nobody reads",
         "with unused as (select name from customers where city = 'x') select id from orders",
         {"id": "orders.id"}),
    Hard("star of a join",
         "select * from customers c join products p on p.name = c.name",
         {"id": "customers.id", "name": "customers.name products.name", "city": "customers.city",
          "referred_by": "customers.referred_by", "sku": "products.sku",
          "price": "products.price", "parent": "products.parent"},
         "customers.name products.name"),
    Hard("t.* among columns",
         "select 1 as one, d.*, s.name from days d left join stores s on s.id = d.store_id",
         {"one": "", "day": "days.day", "store_id": "days.store_id", "target": "days.target",
          "name": "stores.name"}, "days.store_id stores.id"),
    Hard("columns named in the alias of a table",
         "select k, o.amount from orders as o(k, c) where c > 1",
         {"k": "orders.id", "amount": "orders.amount"}, "orders.customer_id"),
    Hard("columns named in the alias of a CTE",
         "with a(x, y) as (select id, amount from orders) select y, x from a",
         {"y": "orders.amount", "x": "orders.id"}),
    Hard("a left join with USING",
         "select sku, i.qty, p.price from items i left join products p using (sku)",
         {"sku": "items.sku", "qty": "items.qty", "price": "products.price"},
         "items.sku products.sku"),
    Hard("a right join with USING",
         "select sku, qty from items right join products using (sku)",
         {"sku": "products.sku", "qty": "items.qty"}, "items.sku products.sku"),
    Hard("a full join with USING and a star",
         "select * from (select sku, qty from items) i full join "
         "(select sku, price from products) p using (sku)",
         {"sku": "items.sku products.sku", "qty": "items.qty", "price": "products.price"},
         "items.sku products.sku"),
    Hard("a natural join",
         "select store_id, amount, target from orders natural join days",
         {"store_id": "orders.store_id days.store_id", "amount": "orders.amount",
          "target": "days.target"}, "orders.store_id days.store_id"),
    Hard("USING after a comma",
         "select o.amount, sku from orders o, items i left join products p using (sku)",
         {"amount": "orders.amount", "sku": "items.sku"}, "items.sku products.sku"),
    Hard("joins in parentheses",
         "select c.city, i.qty from customers c left join (orders o join items i "
         "on i.order_id = o.id) on o.customer_id = c.id",
         {"city": "customers.city", "qty": "items.qty"},
         "items.order_id orders.id orders.customer_id customers.id"),
    Hard("joins in parentheses with a name",
         "select j.qty from (orders o join items i on i.order_id = o.id) as j(a, b, c, d, e, f, g, "
         "h, i1, i2, i3, qty)",
         {"qty": "items.qty"}, "items.order_id orders.id"),
    Hard("union all by position",
         "select id as a, name as b from customers union all select id, sku from items",
         {"a": "customers.id items.id", "b": "customers.name items.sku"}),
    Hard("union without all",
         "select name from customers union select name from products",
         {"name": "customers.name products.name"}, "customers.name products.name"),
    Hard("except",
         "select sku from products except select sku from items where qty > 3",
         {"sku": "products.sku"}, "products.sku items.sku items.qty"),
    Hard("intersect, then union",
         "(select sku from products intersect select sku from items) union all select name "
         "from stores order by 1 limit 5",
         {"sku": "products.sku items.sku stores.name"}, "products.sku items.sku stores.name"),
    Hard("recursion",
         "with recursive tree(sku, root, depth) as (select sku, sku, 0 from products "
         "where parent is null union all select p.sku, t.root, t.depth + 1 from products p "
         "join tree t on p.parent = t.sku) select sku, root, depth from tree",
         {"sku": "products.sku", "root": "products.sku", "depth": ""},
         "products.parent products.sku"),
    Hard("recursion that swaps its columns",
         "with recursive r(a, b, n) as (select id, referred_by, 1 from customers union all "
         "select b, a, n + 1 from r where n < 3) select a from r",
         {"a": "customers.id customers.referred_by"}),
    Hard("recursion with SEARCH",
         "with recursive r(id, up) as (select id, referred_by from customers union all "
         "select c.id, c.referred_by from customers c join r on c.id = r.up) "
         "search depth first by id set path select id, path from r",
         {"id": "customers.id", "path": "customers.id"}, "customers.id customers.referred_by"),
    Hard("recursion with CYCLE",
         "with recursive r(id, up) as (select id, referred_by from customers union all "
         "select c.id, c.referred_by from customers c join r on c.id = r.up) "
         "cycle id set looped using way select * from r",
         {"id": "customers.id", "up": "customers.referred_by", "looped": "customers.id",
          "way": "customers.id"}, "customers.id customers.referred_by"),
    Hard("LATERAL",
         "select c.name, last.amount from customers c left join lateral (select amount from orders "
         "o where o.customer_id = c.id order by o.at desc limit 1) last on true",
         {"name": "customers.name", "amount": "orders.amount"},
         "orders.customer_id customers.id orders.at"),
    Hard("LATERAL after a comma, computing",
         "select l.total from items i, lateral (select i.qty * i.price as total) l",
         {"total": "items.qty items.price"}),
    Hard("star of an outer table in LATERAL",
         "select x.* from products p, lateral (select p.*, 1 as n) x",
         {"sku": "products.sku", "name": "products.name", "price": "products.price",
          "parent": "products.parent", "n": ""}),
    Hard("unnest, and a where on it",
         "select o.id, tag from orders o, unnest(o.tags) as tag where tag <> ''",
         {"id": "orders.id", "tag": "orders.tags"}, "orders.tags"),
    Hard("unnest of two arrays with ordinality",
         "select u.a, u.b, u.n from orders o cross join stores s cross join "
         "unnest(o.tags, s.scores) with ordinality as u(a, b, n)",
         {"a": "orders.tags", "b": "stores.scores", "n": "orders.tags stores.scores"},
         "orders.tags stores.scores"),
    Hard("jsonb_to_recordset",
         "select o.id, r.sku, r.n * 2 as twice from orders o cross join lateral "
         "jsonb_to_recordset(o.payload -> 'lines') as r(sku text, n int)",
         {"id": "orders.id", "sku": "orders.payload", "twice": "orders.payload"},
         "orders.payload"),
    Hard("jsonb_each without an alias",
         "select id, key, value from orders, jsonb_each(payload)",
         {"id": "orders.id", "key": "orders.payload", "value": "orders.payload"},
         "orders.payload"),
    Hard("elements of elements",
         "select e.value ->> 'sku' as sku, t from orders o, "
         "jsonb_array_elements(o.payload -> 'items') e, "
         "jsonb_array_elements_text(e.value -> 'tags') t",
         {"sku": "orders.payload", "t": "orders.payload"}, "orders.payload"),
    Hard("jsonb_populate_record of a table's type",
         "select r.* from orders o, jsonb_populate_record(null::products, o.payload) r",
         dict.fromkeys(("sku", "name", "price", "parent"), "orders.payload"), "orders.payload"),
    Hard("generate_series between columns",
         "select d.store_id, g::date as day from days d, generate_series(d.day, d.day + "
         "d.target::int, interval '1 day') g",
         {"store_id": "days.store_id", "day": "days.day days.target"}, "days.day days.target"),
    Hard("a set-returning function in the SELECT list",
         "select id, jsonb_object_keys(payload) as k from orders",
         {"id": "orders.id", "k": "orders.payload"}),
    Hard("ROWS FROM",
         "select f.a, f.b from stores s, rows from (unnest(s.scores), generate_series(1, s.id)) "
         "as f(a, b)",
         {"a": "stores.scores", "b": "stores.id"}, "stores.scores stores.id"),
    Hard("quoted and mixed-case names",
         'select "Id" as "Key", "Some Name", m."select", ID from "Mixed" as m where "Id" > 0',
         {"Key": "Mixed.Id", "Some Name": "Mixed.Some_Name", "select": "Mixed.select",
          "id": "Mixed.id"}, "Mixed.Id"),
    Hard("row_to_json of a table",
         "select row_to_json(p) as j, to_jsonb(p.*) as k from products p where p.price > 1",
         {"j": "products.sku products.name products.price products.parent",
          "k": "products.sku products.name products.price products.parent"}, "products.price"),
    Hard("a whole row of a CTE, and count of rows",
         "with a as (select sku, qty from items) select json_agg(a order by a.qty) as j, "
         "count(a) as n from a group by sku",
         {"j": "items.sku items.qty", "n": "items.*"}, "items.sku"),
    Hard("a column of a whole row, a field of a composite, an array's element",
         "select (p).name, (s.place).city as town, (place).zip, s.scores[1] as best "
         "from products p, stores s",
         {"name": "products.name", "town": "stores.place", "zip": "stores.place",
          "best": "stores.scores"}),
    Hard("a column is preferred to a whole row of that name",
         "select name from (select name from customers) name",
         {"name": "customers.name"}),
    Hard("windows",
         "select id, sum(amount) over (partition by customer_id order by at rows 2 preceding) "
         "as running, row_number() over w as n from orders window w as (partition by store_id "
         "order by id desc)",
         {"id": "orders.id", "running": "orders.amount orders.customer_id orders.at",
          "n": "orders.store_id orders.id"}),
    Hard("the newest of each, by a window",
         "select id, amount from (select *, row_number() over (partition by customer_id order by "
         "at desc) as back from orders) o where back = 1",
         {"id": "orders.id", "amount": "orders.amount"}, "orders.customer_id orders.at"),
    Hard("correlated subqueries",
         "select c.id, (select max(o.amount) from orders o where o.customer_id = c.id) as top, "
         "(select count(*) from items i where i.order_id = c.referred_by) as n from customers c",
         {"id": "customers.id", "top": "orders.amount ~ orders.customer_id customers.id",
          "n": "items.* ~ items.order_id customers.referred_by"}),
    Hard("EXISTS and IN as filters",
         "select name from customers c where exists (select 1 from orders o where o.customer_id = "
         "c.id and o.status = 'paid') and city not in (select name from stores where id > 1)",
         {"name": "customers.name"},
         "orders.customer_id customers.id orders.status customers.city stores.name stores.id"),
    Hard("EXISTS and IN as values",
         "select exists (select 1 from orders o where o.customer_id = c.id) as has, "
         "city in (select name from stores) as local from customers c",
         {"has": "orders.* ~ orders.customer_id customers.id",
          "local": "customers.city stores.name"}),
    Hard("a name of the outer query within two inner ones",
         "select (select (select c.name) from items where id = c.id limit 1) as n from customers c",
         {"n": "customers.name ~ items.id customers.id"}),
    Hard("an inner name hides the outer one",
         "select id, (select min(id) from items) as low from orders where id in "
         "(select order_id from items where id > 3)",
         {"id": "orders.id", "low": "items.id"}, "orders.id items.order_id items.id"),
    Hard("DISTINCT ON",
         "select distinct on (customer_id) customer_id, amount from orders "
         "order by customer_id, at desc",
         {"customer_id": "orders.customer_id", "amount": "orders.amount"},
         "orders.customer_id orders.at"),
    Hard("groups and orders by position and by alias",
         "select status as s, date_trunc('day', at) as day, sum(amount) as total from orders "
         "group by 1, day having count(distinct store_id) > 1 order by total desc, 2 limit 9",
         {"s": "orders.status", "day": "orders.at", "total": "orders.amount"},
         "orders.status orders.at orders.store_id orders.amount"),
    Hard("an alias that is a column too means the column in GROUP BY, the alias in ORDER BY",
         "select upper(city) as name, count(*) as n from customers group by city, name "
         "order by name",
         {"name": "customers.city", "n": "customers.*"}, "customers.city customers.name"),
    Hard("grouping sets",
         "select status, store_id, sum(amount) as total from orders "
         "group by grouping sets ((status), rollup (store_id, 1))",
         {"status": "orders.status", "store_id": "orders.store_id", "total": "orders.amount"},
         "orders.status orders.store_id"),
    Hard("CASE, FILTER, ordered and hypothetical aggregates",
         "select case when status = 'paid' then amount else 0 end as paid, "
         "count(*) filter (where store_id > 1) over () as n, "
         "case when id > 1 then 'x' end as word from orders",
         {"paid": "orders.status orders.amount", "n": "orders.* orders.store_id",
          "word": "orders.id"}),
    Hard("aggregates with an order within",
         "select string_agg(sku, ',' order by qty) as skus, percentile_cont(0.5) within group "
         "(order by price) as median, array_agg(id order by id) filter (where qty > 1) as ids "
         "from items",
         {"skus": "items.sku items.qty", "median": "items.price", "ids": "items.id items.qty"}),
    Hard("an incremental model reads itself",
         "select id, amount from orders where at > (select max(at) from mart.this)",
         {"id": "orders.id", "amount": "orders.amount"}, "orders.at mart.this.at"),
    Hard("VALUES joined",
         "select v.label, o.amount from orders o join (values ('paid', 1), ('open', 2)) "
         "as v(status, label) using (status)",
         {"label": "", "amount": "orders.amount"}, "orders.status"),
    Hard("casts, json paths, time zones",
         "select payload #>> '{a,b}' as p, (payload ->> 'n')::int + 1 as n, at at time zone 'utc' "
         "as u, extract(epoch from at) as e, amount::numeric(10, 2) from orders",
         {"p": "orders.payload", "n": "orders.payload", "u": "orders.at", "e": "orders.at",
          "amount": "orders.amount"}),
    Hard("array(subquery) and ANY",
         "select array(select sku from items i where i.order_id = o.id order by i.qty) as skus "
         "from orders o where o.id = any (select order_id from items)",
         {"skus": "items.sku ~ items.order_id orders.id items.qty"},
         "orders.id items.order_id"),
    Hard("a cross join with one aggregated row",
         "with top as (select max(day) as day from days) select s.name, top.day - 1 as d "
         "from stores s cross join top",
         {"name": "stores.name", "d": "days.day"}),
    Hard("tables with a schema in front, one name in two schemas",
         "select a.sku, b.name from one.things a join two.things b on a.sku = b.sku",
         {"sku": "one.things.sku", "name": "two.things.name"},
         "one.things.sku two.things.sku"),
    Hard("system columns and keywords are nobody's",
         "select ctid is not null as c, current_date as d, id from orders",
         {"c": "orders.*", "d": "", "id": "orders.id"}),
    Hard("an unlisted table, columns by mention",
         "select e.kind, at from elsewhere.events e where e.kind = 'x'",
         {"kind": "elsewhere.events.kind", "at": "elsewhere.events.at"}, "elsewhere.events.kind"),
    Hard("star of an unlisted table", "select * from elsewhere.events", {}, unknown=True),
    Hard("a column that is not there", "select nope, id from orders",
         {"nope": "", "id": "orders.id"}, unknown=True),
    Hard("no SQL", "selec id frm orders where", {}, unknown=True),
]  # fmt: skip
