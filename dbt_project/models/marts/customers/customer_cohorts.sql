with orders as (
    select * from {{ ref('orders') }}
),

numbers as (
    -- 2^10 months: a cohort is followed for up to 85 years
    {{ generate_series(1024) }}
),

orders_by_month as (

    select
        customer_id,
        cast({{ date_trunc('month', 'ordered_on') }} as date) as activity_month,
        count(*) as count_orders,
        sum(subtotal) as subtotal,
        sum(order_total) as order_total
    from orders
    group by customer_id, activity_month

),

cohorts_assigned as (

    select
        *,
        min(activity_month) over (partition by customer_id) as cohort_month
    from orders_by_month

),

cohorts_summed as (

    select
        cohort_month,
        activity_month,
        count(*) as count_active_customers,
        sum(count_orders) as count_orders,
        sum(subtotal) as subtotal,
        sum(order_total) as order_total,
        max(max(activity_month)) over () as last_month
    from cohorts_assigned
    group by cohort_month, activity_month

),

cohorts_sized as (

    -- in its first month every member of a cohort is active
    select
        cohort_month,
        count_active_customers as cohort_size,
        {{ datediff('cohort_month', 'last_month', 'month') }} as last_month_number
    from cohorts_summed
    where activity_month = cohort_month

),

cohort_months as (

    select
        cohorts_sized.cohort_month,
        cohorts_sized.cohort_size,
        cast(numbers.generated_number - 1 as integer) as month_number,
        cast(
            {{ dateadd('month', 'numbers.generated_number - 1', 'cohorts_sized.cohort_month') }}
            as date
        ) as activity_month
    from cohorts_sized
    inner join numbers on numbers.generated_number <= cohorts_sized.last_month_number + 1

),

filled as (

    select
        cohort_months.cohort_month,
        cohort_months.month_number,
        cohort_months.activity_month,
        cohort_months.cohort_size,
        coalesce(cohorts_summed.count_active_customers, 0) as count_active_customers,
        cast(
            coalesce(cohorts_summed.count_active_customers, 0) * 1.0 / cohort_months.cohort_size
            as numeric(9, 6)
        ) as retention_rate,
        cast(coalesce(cohorts_summed.count_orders, 0) as bigint) as count_orders,
        coalesce(cohorts_summed.subtotal, 0) as subtotal,
        coalesce(cohorts_summed.order_total, 0) as order_total
    from cohort_months
    left join cohorts_summed
        on
            cohort_months.cohort_month = cohorts_summed.cohort_month
            and cohort_months.activity_month = cohorts_summed.activity_month

)

select * from filled
