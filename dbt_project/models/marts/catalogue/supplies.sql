with supplies as (
    select * from {{ ref('stg_jaffle_shop__supplies') }}
),

products as (
    select * from {{ ref('products') }}
),

joined as (

    -- left join: a supply of an unknown product must reach the tests, not vanish
    select
        supplies.supply_id,
        supplies.product_id,
        products.product_name,
        supplies.supply_name,
        supplies.supply_cost,
        supplies.is_perishable,
        coalesce(products.count_units_sold, 0) as count_units_used,
        coalesce(products.count_units_sold, 0) * supplies.supply_cost as cost_of_units_used,
        supplies._dlt_load_id
    from supplies
    left join products on supplies.product_id = products.product_id

)

select * from joined
