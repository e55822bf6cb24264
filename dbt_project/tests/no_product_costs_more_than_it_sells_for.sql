-- A product sold at a loss is nearly always a price or a cost typed in the wrong unit.
-- It may be meant (a loss leader), so it warns and does not stop publication.
{{ config(severity='warn') }}

select
    product_id,
    product_name,
    product_price,
    supply_cost
from {{ ref('products') }}
where unit_margin < 0
