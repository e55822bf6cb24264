-- The shop's turnover is all of its orders: none lost on the way from raw, none counted twice.
select
    loaded.id as loaded_id,
    orders.order_id
from (
    select distinct id
    from {{ source('jaffle_shop', 'orders') }}
    where _dlt_load_id in ({{ completed_loads('jaffle_shop') }})
) as loaded
full outer join {{ ref('orders') }} as orders on loaded.id = orders.order_id
where loaded.id is null or orders.order_id is null
