with stores as (
    select * from {{ ref('stg_jaffle_shop__stores') }}
),

orders as (
    select * from {{ ref('orders') }}
),

orders_summed as (

    select
        store_id,
        count(*) as count_lifetime_orders,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        sum(subtotal) as lifetime_sales_pretax,
        sum(tax_paid) as lifetime_tax_paid,
        sum(order_total) as lifetime_sales
    from orders
    group by store_id

),

joined as (

    select
        stores.store_id,
        stores.store_name,
        stores.opened_at,
        stores.tax_rate,
        coalesce(orders_summed.count_lifetime_orders, 0) as count_lifetime_orders,
        orders_summed.first_ordered_at,
        orders_summed.last_ordered_at,
        coalesce(orders_summed.lifetime_sales_pretax, 0) as lifetime_sales_pretax,
        coalesce(orders_summed.lifetime_tax_paid, 0) as lifetime_tax_paid,
        coalesce(orders_summed.lifetime_sales, 0) as lifetime_sales,
        stores._dlt_load_id
    from stores
    left join orders_summed on stores.store_id = orders_summed.store_id

)

select * from joined
