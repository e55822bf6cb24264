with tickets as (
    select * from {{ ref('stg_support__tickets') }}
),

messages as (
    select * from {{ ref('stg_support__ticket_messages') }}
),

customers as (
    select * from {{ ref('customers') }}
),

first_replies as (

    select
        ticket_id,
        min(sent_at) as first_replied_at
    from messages
    where author = 'agent'
    group by ticket_id

),

tickets_answered as (

    select
        tickets.*,
        {{ datediff('tickets.opened_at', 'first_replies.first_replied_at', 'minute') }}
        / 60.0 as hours_to_first_reply
    from tickets
    left join first_replies on tickets.ticket_id = first_replies.ticket_id

),

tickets_summed as (

    select
        customer_id,
        count(*) as count_tickets,
        sum(case when is_open then 1 else 0 end) as count_open_tickets,
        max(opened_at) as last_opened_at,
        cast(avg(hours_to_first_reply) as numeric(9, 2)) as hours_to_first_reply,
        cast(avg(satisfaction) as numeric(3, 2)) as satisfaction,
        cast(coalesce(sum(refund), 0) as numeric(18, 2)) as refunded
    from tickets_answered
    group by customer_id

),

joined as (

    -- left join: a ticket of somebody unknown must reach the tests, not vanish
    select
        tickets_summed.customer_id,
        tickets_summed.count_tickets,
        tickets_summed.count_open_tickets,
        tickets_summed.last_opened_at,
        tickets_summed.hours_to_first_reply,
        tickets_summed.satisfaction,
        tickets_summed.refunded,
        cast(coalesce(customers.lifetime_spend, 0) as numeric(18, 2)) as lifetime_spend,
        coalesce(
            tickets_summed.count_open_tickets > 0 or tickets_summed.satisfaction <= 2, false
        ) as is_at_risk
    from tickets_summed
    left join customers on tickets_summed.customer_id = customers.customer_id

)

select * from joined
