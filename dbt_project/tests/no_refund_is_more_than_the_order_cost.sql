-- Nobody gets back more than they paid: such a refund is a slip of the desk, or a wrong unit.
select
    tickets.ticket_id,
    tickets.order_id,
    tickets.refund,
    orders.order_total
from {{ ref('stg_support__tickets') }} as tickets
inner join {{ ref('orders') }} as orders on tickets.order_id = orders.order_id
where tickets.refund > orders.order_total
