-- The statements of diff.py, in its order; what stands in braces are its pieces.

-- COLUMNS of a relation and their types
select attname::text, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = to_regclass(format('%%I.%%I', %s, %s)) and attnum > 0 and not attisdropped
order by attnum;

-- KEYS: the columns of its unique indexes, the primary key first
select array_agg(t.attname::text order by k.place)
from pg_index as i
cross join lateral unnest(i.indkey) with ordinality as k (number, place)
join pg_attribute as t on t.attrelid = i.indrelid and t.attnum = k.number
where i.indrelid = to_regclass(format('%%I.%%I', %s, %s)) and i.indisunique and i.indisvalid
  and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
group by i.indexrelid, i.indisprimary order by i.indisprimary desc, i.indexrelid;

-- BY_KEY: rows of a, of b, added, removed, changed, unchanged; differing rows by column.
-- A key that holds a null is in neither side, a doubled one in too many pairs: the sums show it.
select (select count(*) from {a}), (select count(*) from {b}),
    count(*) filter (where ({in_b}) and not ({in_a})),
    count(*) filter (where ({in_a}) and not ({in_b})),
    count(*) filter (where ({in_a}) and ({in_b}) and ({differ})),
    count(*) filter (where ({in_a}) and ({in_b}) and not ({differ})),
    array[{differing}]::bigint[]
from {a} as a full join {b} as b on {same_key};

-- SAMPLE: key, old and new values, and which of them differ
select array[{key}]::text[], array[{old}]::text[], array[{new}]::text[], array[{differs}]::bool[]
from {a} as a full join {b} as b on {same_key} where {which} order by {order} limit {limit};

-- COUNT_ROWS: as BY_KEY, of whole rows as text
with sides as (
    select row({all})::text collate "C" as whole, count(*) as a, 0 as b from {a} as t group by 1
    union all
    select row({all})::text collate "C", 0, count(*) from {b} as t group by 1
), counted as (
    select sum(a)::bigint as a, sum(b)::bigint as b from sides group by whole
)
select coalesce(sum(a), 0)::bigint, coalesce(sum(b), 0)::bigint,
    coalesce(sum(greatest(b - a, 0)), 0)::bigint, coalesce(sum(greatest(a - b, 0)), 0)::bigint,
    0, coalesce(sum(least(a, b)), 0)::bigint
from counted;

-- EXTRA_ROWS: what may be shown of rows that stand here more often than there
select min(shown) from (
    select row({all})::text collate "C" as whole, row({shown})::text as shown, 1 as n from {here} as t
    union all
    select row({all})::text collate "C", null, -1 from {there} as t
) as both_sides
group by whole having sum(n) > 0 order by 1 limit {limit};
