"""The rows as the API page documents them. Answers are written as bytes and never pass through."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

Id = Annotated[str, Field(examples=["d5b5ec80-ec50-4734-87a4-a5fd208548f7"])]
Sku = Annotated[str, Field(description="The product's key.", examples=["JAF-001"])]
Cents = Annotated[str, Field(description="Whole cents, as a string.", examples=["600"])]
Moment = Annotated[
    str, Field(description="Local time without a zone.", examples=["2024-09-01T08:15:00"])
]
Instant = Annotated[str, Field(description="UTC.", examples=["2024-09-03T08:15:00Z"])]


class Customer(BaseModel):
    """Somebody who bought something; names can change."""

    id: Id
    name: str


class Item(BaseModel):
    """One product in one order."""

    id: Id
    order_id: Id
    sku: Sku


class Order(BaseModel):
    """One sale: subtotal is the sum of its items' prices, order_total adds the tax."""

    id: Id
    customer_id: Id
    store_id: Id
    ordered_at: Moment
    subtotal: Cents
    tax_paid: Cents
    order_total: Cents
    items: list[Item]


class Product(BaseModel):
    """Something on the menu; prices do not change."""

    sku: Sku
    name: str
    type: Annotated[str, Field(examples=["jaffle", "beverage"])]
    price: Cents
    description: str


class Store(BaseModel):
    """A place that sells."""

    id: Id
    name: str
    opened_at: Moment
    tax_rate: Annotated[str, Field(description="A fraction, as a string.", examples=["0.06"])]


class Supply(BaseModel):
    """Something that goes into a product; the key is id and sku together."""

    id: Annotated[str, Field(examples=["SUP-001"])]
    name: str
    cost: Cents
    perishable: bool
    sku: Sku


class Requester(BaseModel):
    """Who asks, and how."""

    customer_id: Id
    channel: Annotated[str, Field(examples=["chat", "e-mail", "phone"])]


class Message(BaseModel):
    """Something that was said about a ticket."""

    id: int
    author: Annotated[str, Field(examples=["customer", "agent"])]
    sent_at: Instant
    body: str


class Ticket(BaseModel):
    """A trouble with an order. It changes in place, and `updated_at` moves with each change."""

    id: int
    order_id: Id
    status: Annotated[str, Field(examples=["open", "pending", "solved"])]
    topic: str
    requester: Requester
    created_at: Instant
    updated_at: Instant
    satisfaction: Annotated[int | None, Field(description="1 to 5 stars, given at the end.")]
    refund: Annotated[float | None, Field(description="In dollars; null until it is solved.")]
    messages: list[Message]


class Tickets(BaseModel):
    """A page of tickets, the one changed last at the end."""

    data: list[Ticket]
    next_cursor: Annotated[str | None, Field(description="For `cursor`; null on the last page.")]


class RowCount(BaseModel):
    """How many rows an endpoint has today."""

    table_name: str
    row_count: int


class FaultRequest(BaseModel):
    """A fault to set, in the form NAME[@ENDPOINT][?OPTION=VALUE&...]."""

    spec: Annotated[str, Field(examples=["429@orders?page=3&times=2&retry_after=1"])]


class FaultState(BaseModel):
    """A fault that is set; `left` is how many answers it will still spoil, -1 for ever."""

    spec: str
    name: str
    endpoint: str | None
    page: int | None
    left: int
    served: int


class Removed(BaseModel):
    """How many faults were taken away."""

    removed: int


ROWS: dict[str, Any] = {
    "customers": list[Customer],
    "orders": list[Order],
    "items": list[Item],
    "products": list[Product],
    "stores": list[Store],
    "supplies": list[Supply],
}
