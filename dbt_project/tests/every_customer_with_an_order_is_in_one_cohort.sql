-- Retention is only a rate when its whole is right: cohorts split the customers, each into one.
select
    customers.buyers,
    cohorts.members
from (
    select count(*) as buyers from {{ ref('customers') }} where count_lifetime_orders > 0
) as customers
cross join (
    select coalesce(sum(cohort_size), 0) as members
    from {{ ref('customer_cohorts') }} where month_number = 0
) as cohorts
where customers.buyers != cohorts.members
