-- The dashboard and the ledger must agree: each store's days add up to its orders, to the cent.
with days_summed as (

    select
        store_id,
        sum(count_orders) as count_orders,
        sum(subtotal) as subtotal,
        sum(tax_paid) as tax_paid,
        sum(order_total) as order_total
    from {{ ref('daily_sales') }}
    group by store_id

),

orders_summed as (

    select
        store_id,
        count(*) as count_orders,
        sum(subtotal) as subtotal,
        sum(tax_paid) as tax_paid,
        sum(order_total) as order_total
    from {{ ref('orders') }}
    group by store_id

)

select
    orders_summed.*,
    days_summed.order_total as order_total_by_day
from orders_summed
left join days_summed on orders_summed.store_id = days_summed.store_id
where
    days_summed.store_id is null
    or days_summed.count_orders != orders_summed.count_orders
    or days_summed.subtotal != orders_summed.subtotal
    or days_summed.tax_paid != orders_summed.tax_paid
    or days_summed.order_total != orders_summed.order_total
