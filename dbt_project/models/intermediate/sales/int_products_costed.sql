with products as (
    select * from {{ ref('stg_jaffle_shop__products') }}
),

supplies as (
    select * from {{ ref('stg_jaffle_shop__supplies') }}
),

supplies_summed as (

    select
        product_id,
        sum(supply_cost) as supply_cost
    from supplies
    group by product_id

),

costed as (

    select
        products.product_id,
        products.product_name,
        products.product_type,
        products.product_description,
        products.product_price,
        products.is_food_item,
        products.is_drink_item,
        coalesce(supplies_summed.supply_cost, 0) as supply_cost,
        products._dlt_load_id
    from products
    left join supplies_summed on products.product_id = supplies_summed.product_id

)

select * from costed
