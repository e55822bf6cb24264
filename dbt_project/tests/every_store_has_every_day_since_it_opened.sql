-- An average per day is only right when days without sales are counted too.
select
    store_id,
    count(*) as count_days,
    min(ordered_on) as first_day,
    max(ordered_on) as last_day
from {{ ref('daily_sales') }}
group by store_id
having
    count(*) != {{ datediff('min(ordered_on)', 'max(ordered_on)', 'day') }} + 1
    or max(ordered_on) != (select max(orders.ordered_on) from {{ ref('orders') }} as orders)
