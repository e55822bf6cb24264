-- Makes the newest point of each open drift the one at which its level was adopted.
with latest as (
    select distinct on (table_name, column_name, metric) *
    from ops.metrics
    where table_name = %(table)s and state is not null
      and (%(metric)s is null or concat_ws('.', nullif(column_name, ''), metric) = %(metric)s)
    order by table_name, column_name, metric, at desc
), accepted as (
    update ops.metrics as m set state = 'adopted'
    from latest as l
    where (m.run_id, m.table_name, m.column_name, m.metric)
        = (l.run_id, l.table_name, l.column_name, l.metric)
      and l.state in ('anomaly', 'continuing')
    returning m.run_id, m.table_name, m.column_name, m.metric, m.value
), noted as (
    insert into ops.drift_events (run_id, table_name, column_name, metric, value)
    select * from accepted on conflict do nothing
)
select concat_ws('.', nullif(column_name, ''), metric), value from accepted order by 1
