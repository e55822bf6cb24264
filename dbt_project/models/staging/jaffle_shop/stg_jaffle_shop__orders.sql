with source as (

    {{ current_rows_of_log('jaffle_shop', 'orders', key=['id']) }}

),

renamed as (

    select
        -- ids
        id as order_id,
        customer_id,
        store_id,

        -- times
        ordered_at,

        -- money
        {{ dollars('subtotal') }} as subtotal,
        {{ dollars('tax_paid') }} as tax_paid,
        {{ dollars('order_total') }} as order_total,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
