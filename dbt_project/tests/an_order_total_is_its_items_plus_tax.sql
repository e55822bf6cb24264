-- What a customer paid is the price of what they got, plus tax, to the cent.
-- Menu prices change and an order keeps the old one: an item may have any price that its product
-- has had since the first load. As long as a price has never changed, that is exactly one.
with prices as (

    select
        sku as product_id,
        min({{ dollars('price') }}) as lowest,
        max({{ dollars('price') }}) as highest
    from {{ source('jaffle_shop', 'products') }}
    where _dlt_load_id in ({{ completed_loads('jaffle_shop') }})
    group by sku

),

items_summed as (

    select
        order_items.order_id,
        sum(prices.lowest) as lowest,
        sum(prices.highest) as highest
    from {{ ref('order_items') }} as order_items
    inner join prices on order_items.product_id = prices.product_id
    group by order_items.order_id

)

select
    orders.order_id,
    orders.subtotal,
    orders.tax_paid,
    orders.order_total,
    items_summed.lowest,
    items_summed.highest
from {{ ref('orders') }} as orders
left join items_summed on orders.order_id = items_summed.order_id
where
    orders.order_total != orders.subtotal + orders.tax_paid
    or orders.subtotal < coalesce(items_summed.lowest, 0)
    or orders.subtotal > coalesce(items_summed.highest, 0)
