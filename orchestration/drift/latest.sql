-- What was measured last of each metric, of those that are asked for and still measured.
with latest as (
    select distinct on (table_name, column_name, metric) *
    from ops.metrics
    where table_name = %(table)s or %(table)s is null
    order by table_name, column_name, metric, at desc
)
select table_name, column_name, metric, value, state, expected, low, high, score, run_id, at
from latest as m
where at = (select max(at) from latest as t where t.table_name = m.table_name)
   or state in ('anomaly', 'continuing')
order by table_name, column_name, metric
