-- A ticket about nobody's order is a refund that nobody owes: order and customer belong together.
-- Not so for tickets newer than the last order we know: the shop is loaded before its desk.
select
    tickets.ticket_id,
    tickets.order_id,
    tickets.customer_id,
    orders.customer_id as customer_of_the_order
from {{ ref('stg_support__tickets') }} as tickets
left join {{ ref('orders') }} as orders on tickets.order_id = orders.order_id
where
    tickets.opened_at < (select max(known.ordered_at) from {{ ref('orders') }} as known)
    and (orders.order_id is null or orders.customer_id != tickets.customer_id)
