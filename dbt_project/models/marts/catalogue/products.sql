with products as (
    select * from {{ ref('int_products_costed') }}
),

order_items as (
    select * from {{ ref('order_items') }}
),

items_summed as (

    select
        product_id,
        count(*) as count_units_sold,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at
    from order_items
    group by product_id

),

joined as (

    select
        products.product_id,
        products.product_name,
        products.product_type,
        products.product_description,
        products.product_price,
        products.supply_cost,
        products.product_price - products.supply_cost as unit_margin,
        products.is_food_item,
        products.is_drink_item,
        coalesce(items_summed.count_units_sold, 0) as count_units_sold,
        coalesce(items_summed.count_units_sold, 0) * products.product_price
            as sales_at_list_price,
        items_summed.first_ordered_at,
        items_summed.last_ordered_at,
        products._dlt_load_id
    from products
    left join items_summed on products.product_id = items_summed.product_id

)

select * from joined
