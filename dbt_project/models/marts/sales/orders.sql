with orders as (
    select * from {{ ref('stg_jaffle_shop__orders') }}
),

order_items as (
    select * from {{ ref('int_order_items_priced') }}
),

items_summed as (

    select
        order_id,
        count(*) as count_order_items,
        count(case when is_food_item then 1 end) as count_food_items,
        count(case when is_drink_item then 1 end) as count_drink_items,
        sum(supply_cost) as order_cost
    from order_items
    group by order_id

),

joined as (

    -- left join: an order may have no items (a free glass of water is an order too)
    select
        orders.order_id,
        orders.customer_id,
        orders.store_id,
        orders.ordered_at,
        cast(orders.ordered_at as date) as ordered_on,
        orders.subtotal,
        orders.tax_paid,
        orders.order_total,
        coalesce(items_summed.order_cost, 0) as order_cost,
        coalesce(items_summed.count_order_items, 0) as count_order_items,
        coalesce(items_summed.count_food_items, 0) as count_food_items,
        coalesce(items_summed.count_drink_items, 0) as count_drink_items,
        orders._dlt_load_id
    from orders
    left join items_summed on orders.order_id = items_summed.order_id

),

numbered as (

    select
        *,
        count_food_items > 0 as is_food_order,
        count_drink_items > 0 as is_drink_order,
        row_number() over (
            partition by customer_id
            order by ordered_at asc, order_id asc
        ) as customer_order_number
    from joined

)

select * from numbered
