with source as (

    {{ current_rows_of_scd2('jaffle_shop', 'products', key=['sku']) }}

),

renamed as (

    select
        -- ids
        sku as product_id,

        -- text
        name as product_name,
        type as product_type,
        description as product_description,

        -- money
        {{ dollars('price') }} as product_price,

        -- booleans
        coalesce(type = 'jaffle', false) as is_food_item,
        coalesce(type = 'beverage', false) as is_drink_item,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
