with customers as (
    select * from {{ ref('stg_jaffle_shop__customers') }}
),

orders as (
    select * from {{ ref('orders') }}
),

orders_summed as (

    select
        customer_id,
        count(*) as count_lifetime_orders,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        sum(subtotal) as lifetime_spend_pretax,
        sum(tax_paid) as lifetime_tax_paid,
        sum(order_total) as lifetime_spend
    from orders
    group by customer_id

),

joined as (

    select
        customers.customer_id,
        customers.customer_name,
        case
            when orders_summed.count_lifetime_orders > 1 then 'returning'
            when orders_summed.count_lifetime_orders = 1 then 'new'
            else 'prospect'
        end as customer_type,
        coalesce(orders_summed.count_lifetime_orders, 0) as count_lifetime_orders,
        orders_summed.first_ordered_at,
        orders_summed.last_ordered_at,
        coalesce(orders_summed.lifetime_spend_pretax, 0) as lifetime_spend_pretax,
        coalesce(orders_summed.lifetime_tax_paid, 0) as lifetime_tax_paid,
        coalesce(orders_summed.lifetime_spend, 0) as lifetime_spend,
        customers._dlt_load_id
    from customers
    left join orders_summed on customers.customer_id = orders_summed.customer_id

)

select * from joined
