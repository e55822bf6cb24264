"""What the help desk's API promises: numbers are JSON numbers, times are UTC."""

from decimal import Decimal

from ingestion.contract import Column, Contract

MESSAGES = Contract(
    table="tickets__messages",
    key=("id",),
    columns=(
        Column("id", "whole"),
        Column("author", "text"),
        Column("sent_at", "timestamp", zoned=True),
        Column("body", "text", pii=True),  # people write anything
    ),
)

TICKETS = Contract(
    table="tickets",
    key=("id",),
    columns=(
        Column("id", "whole", minimum=1),
        Column("order_id", "text"),
        Column("status", "text"),
        Column("topic", "text"),
        Column("requester__customer_id", "text"),
        Column("requester__channel", "text", nullable=True),
        Column("created_at", "timestamp", zoned=True),
        Column("updated_at", "timestamp", zoned=True, until_now=True),  # the cursor
        Column("satisfaction", "whole", nullable=True, minimum=1, maximum=5),
        Column("refund", "decimal", nullable=True, minimum=Decimal(0)),
    ),
    children=(("messages", MESSAGES),),
    newest="updated_at",
)
