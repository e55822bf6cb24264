-- Retention is only a rate when its whole is right: cohorts split the customers, each into one.
with customers as (

    select count(*) as count_buyers
    from {{ ref('customers') }}
    where count_lifetime_orders > 0

),

cohorts as (

    select coalesce(sum(cohort_size), 0) as count_members
    from {{ ref('customer_cohorts') }}
    where month_number = 0

)

select
    customers.count_buyers,
    cohorts.count_members
from customers
cross join cohorts
where customers.count_buyers != cohorts.count_members
