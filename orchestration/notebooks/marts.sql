-- Whether the register of versions may be read: people who read marts may not.
select coalesce(has_schema_privilege(to_regnamespace('ops'), 'usage'), false)
    and coalesce(has_table_privilege(to_regclass('ops.versions'), 'select'), false) as readable;

-- The marts of a schema. The unmasked tables behind masked views stand elsewhere.
select relname as name from pg_class
where relnamespace = to_regnamespace(quote_ident(%(schema)s)) and relkind in ('r', 'v')
order by 1;

-- Which version was live at a moment, or when a run had ended; without either, now.
select exists (select from ops.runs where run_id = %(run)s) as known, (
    select version from ops.switches
    where switched_at <= coalesce(
        %(moment)s, (select finished_at from ops.runs where run_id = %(run)s), 'infinity'
    )
    order by switched_at desc limit 1
) as version;

-- All that were ever published, newest first.
select v.version, v.run_id, v.git_commit, v.schema_name, v.published_at, r.lineage
from ops.versions as v left join ops.runs as r using (run_id)
where v.published_at is not null
order by v.version desc;

-- How fresh a run found its sources.
select source || '.' || table_name as name, newest_at from ops.freshness
where run_id = %(run_id)s and newest_at is not null
order by 1;

-- From each column of a mart up to where its values come from: to what nothing leads on from.
with recursive up as (
    select e.to_column as mart_column, e.from_node, e.from_column
    from ops.lineage_edges as e
    where e.graph = %(graph)s and e.kind = 'direct' and e.to_column is not null
        and e.to_node like 'model.%%.' || %(mart)s
    union
    select up.mart_column, e.from_node, e.from_column
    from up inner join ops.lineage_edges as e
        on e.graph = %(graph)s and e.kind = 'direct'
            and e.to_node = up.from_node and e.to_column = up.from_column
)

select mart_column, concat_ws(' ', from_node, from_column) as origin from up
where not exists (
    select from ops.lineage_edges as e
    where e.graph = %(graph)s and e.kind = 'direct'
        and e.to_node = up.from_node and e.to_column = up.from_column
)
order by 1, 2;
