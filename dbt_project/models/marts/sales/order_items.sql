with order_items as (
    select * from {{ ref('int_order_items_priced') }}
),

orders as (
    select * from {{ ref('orders') }}
),

joined as (

    select
        order_items.order_item_id,
        order_items.order_id,
        order_items.product_id,
        orders.customer_id,
        orders.store_id,
        orders.ordered_at,
        order_items.product_name,
        order_items.product_price,
        order_items.supply_cost,
        order_items.is_food_item,
        order_items.is_drink_item,
        order_items._dlt_load_id
    from order_items
    left join orders on order_items.order_id = orders.order_id

)

select * from joined
