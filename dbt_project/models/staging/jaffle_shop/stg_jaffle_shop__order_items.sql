with source as (

    {{ nested_rows_of_log('jaffle_shop', 'orders__items', parent='orders', parent_key=['id']) }}

),

renamed as (

    -- distinct: an order sent twice in one load brings each of its items twice
    select distinct
        -- ids
        id as order_item_id,
        order_id,
        sku as product_id,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
