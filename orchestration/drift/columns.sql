-- The columns of a table in order: name, kind of type, and whether values can be told apart (json
-- has no =).
select a.attname,
       case when t.typname in ('int2', 'int4', 'int8', 'float4', 'float8', 'numeric') then 'number'
            when t.typname in ('text', 'varchar', 'bpchar') then 'text'
            when t.typname = 'bool' then 'boolean' else 'other' end,
       t.typtype = 'b' and t.typcategory <> 'A' and exists (
           select from pg_opclass as o join pg_am as m on m.oid = o.opcmethod
           where m.amname = 'btree' and o.opcintype = t.oid and o.opcdefault)
       or t.typname = 'varchar'
from pg_attribute as a
join pg_type as b on b.oid = a.atttypid
join pg_type as t on t.oid = case b.typtype when 'd' then b.typbasetype else b.oid end
where a.attrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))
  and a.attnum > 0 and not a.attisdropped
order by a.attnum
