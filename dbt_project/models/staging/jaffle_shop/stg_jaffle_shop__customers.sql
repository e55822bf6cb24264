with source as (

    {{ current_rows_of_scd2('jaffle_shop', 'customers', key=['id']) }}

),

renamed as (

    select
        -- ids
        id as customer_id,

        -- text
        name as customer_name,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
