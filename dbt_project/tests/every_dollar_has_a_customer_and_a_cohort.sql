-- Sales by customer and sales by cohort are the same dollars as sales by order.
with sums as (

    select
        (select coalesce(sum(order_total), 0) from {{ ref('orders') }}) as by_order,
        (select coalesce(sum(lifetime_spend), 0) from {{ ref('customers') }}) as by_customer,
        (select coalesce(sum(order_total), 0) from {{ ref('customer_cohorts') }}) as by_cohort

)

select * from sums
where by_order != by_customer or by_order != by_cohort
