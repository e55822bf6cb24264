"""What the Jaffle Shop API promises. Money is in whole cents; times are the shop's local time."""

from decimal import Decimal

from ingestion.contract import Column, Contract

ID = r"\S+"  # never empty, and no spaces

CUSTOMERS = Contract(
    table="customers",
    key=("id",),
    columns=(Column("id", "text", pattern=ID), Column("name", "text", pii=True)),
)

ITEMS_OF_ORDERS = Contract(
    table="orders__items",
    key=("id",),
    columns=(Column("id", "text"), Column("order_id", "text"), Column("sku", "text")),
)

ORDERS = Contract(
    table="orders",
    key=("id",),
    columns=(
        Column("id", "text", pattern=ID),
        Column("customer_id", "text"),
        Column("store_id", "text"),
        Column("ordered_at", "timestamp", until_now=True),  # the cursor: a wrong year would stop it
        Column("subtotal", "whole", minimum=0),
        Column("tax_paid", "whole", minimum=0),
        Column("order_total", "whole", minimum=0),
    ),
    children=(("items", ITEMS_OF_ORDERS),),
)

# The same rows as orders.items[]; loaded only when asked for (see README.md).
ITEMS = Contract(table="items", key=("id",), columns=ITEMS_OF_ORDERS.columns)

PRODUCTS = Contract(
    table="products",
    key=("sku",),
    columns=(
        Column("sku", "text", pattern=ID),
        Column("name", "text"),
        Column("type", "text"),
        Column("price", "whole", minimum=0),
        Column("description", "text", nullable=True),
    ),
)

STORES = Contract(
    table="stores",
    key=("id",),
    columns=(
        Column("id", "text", pattern=ID),
        Column("name", "text"),
        Column("opened_at", "timestamp"),
        Column("tax_rate", "decimal", digits=(9, 6), minimum=Decimal(0), maximum=Decimal(1)),
    ),
)

SUPPLIES = Contract(
    table="supplies",
    key=("id", "sku"),  # a supply's id repeats across products
    columns=(
        Column("id", "text", pattern=ID),
        Column("name", "text"),
        Column("cost", "whole", minimum=0),
        Column("perishable", "boolean"),
        Column("sku", "text"),
    ),
)

SNAPSHOTS = (CUSTOMERS, PRODUCTS, STORES, SUPPLIES)
