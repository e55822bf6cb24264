with source as (

    {{ current_rows_of_log('support', 'tickets', key=['id'], newest='updated_at') }}

),

renamed as (

    select
        -- ids
        id as ticket_id,
        order_id,
        requester__customer_id as customer_id,

        -- text
        status as ticket_status,
        topic as ticket_topic,
        requester__channel as channel,

        -- numbers
        satisfaction,
        refund,

        -- booleans
        status != 'solved' as is_open,

        -- times
        created_at as opened_at,
        updated_at,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
