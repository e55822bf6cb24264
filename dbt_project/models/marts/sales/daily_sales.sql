with orders as (
    select * from {{ ref('orders') }}
),

stores as (
    select * from {{ ref('stg_jaffle_shop__stores') }}
),

numbers as (
    -- 2^16 days: a store may be up to 179 years old
    {{ generate_series(65536) }}
),

orders_summed as (

    select
        store_id,
        ordered_on,
        count(*) as count_orders,
        count(distinct customer_id) as count_customers,
        count(case when customer_order_number = 1 then 1 end) as count_new_customers,
        sum(count_order_items) as count_order_items,
        sum(subtotal) as subtotal,
        sum(tax_paid) as tax_paid,
        sum(order_total) as order_total,
        sum(order_cost) as order_cost
    from orders
    group by store_id, ordered_on

),

last_day as (

    select max(ordered_on) as ordered_on from orders_summed

),

stores_open as (

    select
        stores.store_id,
        stores.store_name,
        stores.opened_at,
        {{ datediff('stores.opened_at', 'last_day.ordered_on', 'day') }} as days_since_opening
    from stores
    cross join last_day

),

store_days as (

    select
        stores_open.store_id,
        stores_open.store_name,
        cast({{ dateadd('day', 'numbers.generated_number - 1', 'stores_open.opened_at') }} as date)
            as ordered_on
    from stores_open
    inner join numbers on numbers.generated_number <= stores_open.days_since_opening + 1

),

filled as (

    select
        store_days.store_id,
        store_days.store_name,
        store_days.ordered_on,
        coalesce(orders_summed.count_orders, 0) as count_orders,
        coalesce(orders_summed.count_customers, 0) as count_customers,
        coalesce(orders_summed.count_new_customers, 0) as count_new_customers,
        cast(coalesce(orders_summed.count_order_items, 0) as bigint) as count_order_items,
        coalesce(orders_summed.subtotal, 0) as subtotal,
        coalesce(orders_summed.tax_paid, 0) as tax_paid,
        coalesce(orders_summed.order_total, 0) as order_total,
        coalesce(orders_summed.order_cost, 0) as order_cost,
        coalesce(orders_summed.subtotal - orders_summed.order_cost, 0) as gross_profit
    from store_days
    left join orders_summed
        on
            store_days.store_id = orders_summed.store_id
            and store_days.ordered_on = orders_summed.ordered_on

)

select * from filled
