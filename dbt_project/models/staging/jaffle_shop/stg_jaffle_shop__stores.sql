with source as (

    {{ current_rows_of_scd2('jaffle_shop', 'stores', key=['id']) }}

),

renamed as (

    select
        -- ids
        id as store_id,

        -- text
        name as store_name,

        -- times
        opened_at,

        -- numbers
        tax_rate,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
