"""Tickets of a help desk: numbers, times with zones, objects, lists in lists."""

from datetime import datetime, timedelta
from typing import Any

from ingestion.contract import Column, Contract
from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.ingestion.declared.habits import SAID

TAGS = Contract("tickets__tags", (), (Column("value", "text"),))
PARTS = Contract("tickets__messages__parts", (), (Column("kind", "text"), Column("size", "whole")))
MESSAGES = Contract(
    "tickets__messages", ("id",), (Column("id", "whole"), Column("text", "text", nullable=True)),
    children=(("parts", PARTS),),
)  # fmt: skip
TICKETS = Contract(
    table="tickets",
    key=("id",),
    columns=(
        Column("id", "whole"),
        Column("order", "text"),  # SQL has another meaning for it
        Column("updated_at", "timestamp", zoned=True),
        Column("requester__customer_id", "text"),
        Column("requester__channel", "text", nullable=True),
        Column("amount", "decimal", digits=(18, 4)),
        Column("score", "float", nullable=True),
        Column("due", "date", nullable=True),
        Column("extra", "json", nullable=True),
    ),
    children=(("tags", TAGS), ("messages", MESSAGES)),
    newest="updated_at",
)


def ticket(number: int, hour: int = 0, **changes: Any) -> dict[str, Any]:
    moment = datetime(2024, 3, 31) + timedelta(hours=hour)
    return {
        "id": number,
        "order": f"o{number}",
        "updatedAt": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        "requester": {"customerId": f"c{number}", "channel": None},
        "amount": 12.5,
        "due": "2024-04-01",
        "tags": ["new", "vip"],
        "messages": [{"id": number * 10, "text": "hello", "parts": [{"kind": "pdf", "size": 7}]}],
    } | changes


def log(habit: str = "cursor", contract: Contract = TICKETS, **changes: Any) -> Endpoint:
    cursor = Cursor("updated_at", "since", until="until", **changes)
    return Endpoint(contract, habit, cursor=cursor, **SAID[habit])


def count(warehouse: Warehouse, table: str, where: str = "true") -> int:
    return query(warehouse, f"select count(*) from raw_desk.{table} where {where}")[0][0]
