-- What others may do with the schema `old` and what is in it, and the comments that stand there, as
-- statements that say the same of the schema `new`. A comment that the new version has is not touched.
with granted as (
    select null::name as tab, null::name as col, a.* from pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as a
    where n.nspname = %(old)s and a.grantee <> n.nspowner
    union all
    select c.relname, null, a.* from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    where c.relnamespace = to_regnamespace(%(old)s) and a.grantee <> c.relowner
    union all
    select c.relname, t.attname, a.* from pg_class as c
    join pg_attribute as t on t.attrelid = c.oid
    cross join lateral aclexplode(t.attacl) as a
    where c.relnamespace = to_regnamespace(%(old)s) and a.grantee <> c.relowner
),

commented as (
    select c.relname as tab, t.attname as col, col_description(c.oid, t.attnum) as said
    from pg_class as c join pg_attribute as t on t.attrelid = c.oid and t.attnum > 0
    where c.relnamespace = to_regnamespace(%(old)s)
    union all
    select c.relname, null, obj_description(c.oid, 'pg_class') from pg_class as c
    where c.relnamespace = to_regnamespace(%(old)s)
)

select format(
    'grant %%s%%s on %%s to %%s%%s', g.privilege_type, ' (' || quote_ident(g.col) || ')',
    case when g.tab is null then format('schema %%I', %(new)s)
         else format('%%I.%%I', %(new)s, g.tab) end,
    case when g.grantee = 0 then 'public' else quote_ident(r.rolname) end,
    case when g.is_grantable then ' with grant option' end
)
from granted as g left join pg_roles as r on r.oid = g.grantee
where g.tab is null or exists (
    select from pg_class as c
    left join pg_attribute as t on t.attrelid = c.oid and t.attname = g.col
    where c.relnamespace = to_regnamespace(%(new)s) and c.relname = g.tab
        and (g.col is null or t.attname is not null)
)
union all
select case
    when m.col is not null
        then format('comment on column %%I.%%I.%%I is %%L', %(new)s, m.tab, m.col, m.said)
    else format(
        'comment on %%s %%I.%%I is %%L',
        case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
        %(new)s, m.tab, m.said
    )
end
from commented as m
join pg_class as c
    on c.relnamespace = to_regnamespace(%(new)s) and c.relname = m.tab and c.relkind in ('r', 'p', 'v', 'm')
left join pg_attribute as t on t.attrelid = c.oid and t.attname = m.col and t.attnum > 0
where m.said is not null
    and (m.col is null or t.attname is not null)
    and case when m.col is null then obj_description(c.oid, 'pg_class')
             else col_description(c.oid, t.attnum) end is null
union all
select format('comment on schema %%I is %%L', %(new)s, obj_description(n.oid, 'pg_namespace'))
from pg_namespace as n
where n.nspname = %(old)s and obj_description(n.oid, 'pg_namespace') is not null
