with source as (

    {{ current_rows_of_scd2('jaffle_shop', 'supplies', key=['id', 'sku']) }}

),

renamed as (

    select
        -- ids
        id as supply_id,
        sku as product_id,

        -- text
        name as supply_name,

        -- money
        {{ dollars('cost') }} as supply_cost,

        -- booleans
        perishable as is_perishable,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
