-- Nothing is sold outside an order: an item whose order never arrived is a sale we would miss.
select
    items.id,
    items.order_id
from {{ source('jaffle_shop', 'orders__items') }} as items
left join {{ ref('orders') }} as orders on items.order_id = orders.order_id
where
    orders.order_id is null
    and items._dlt_load_id in ({{ completed_loads('jaffle_shop') }})
