-- What the last runs measured of the metrics that are judged, oldest first.
select table_name, column_name, metric, at, value, state, expected
from ops.metrics
where state is not null and run_id <> %(run_id)s and at < %(at)s and run_id in (
    select run_id from ops.metrics where column_name = '' and at < %(at)s
    group by run_id order by max(at) desc limit %(runs)s
)
order by at
