-- A sale before the opening day means a wrong store, a wrong clock or a wrong opening date.
-- By the day, not the hour: doors may open early.
select
    orders.order_id,
    orders.ordered_at,
    stores.store_id,
    stores.opened_at
from {{ ref('orders') }} as orders
inner join {{ ref('stores') }} as stores on orders.store_id = stores.store_id
where orders.ordered_on < cast(stores.opened_at as date)
