-- A table, because two marts read it and the pick of current rows behind it is the dearest query.
{{ config(materialized='table', post_hook='analyze {{ this }}') }}

with order_items as (
    select * from {{ ref('stg_jaffle_shop__order_items') }}
),

products as (
    select * from {{ ref('int_products_costed') }}
),

priced as (

    -- left join: an item whose product is unknown must reach the tests, not vanish
    select
        order_items.order_item_id,
        order_items.order_id,
        order_items.product_id,
        products.product_name,
        products.product_price,
        products.supply_cost,
        coalesce(products.is_food_item, false) as is_food_item,
        coalesce(products.is_drink_item, false) as is_drink_item,
        order_items._dlt_load_id
    from order_items
    left join products on order_items.product_id = products.product_id

)

select * from priced
