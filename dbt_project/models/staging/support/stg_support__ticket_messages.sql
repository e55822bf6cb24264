with source as (

    {{
        nested_rows_of_log(
            'support', 'tickets__messages', parent='tickets', parent_key=['id'],
            newest='updated_at', parent_as='ticket_id'
        )
    }}

),

renamed as (

    -- without the body: people write anything, and no mart needs it
    select distinct
        -- ids
        id as message_id,
        ticket_id,

        -- text
        author,

        -- times
        sent_at,

        -- lineage
        _dlt_load_id

    from source

)

select * from renamed
