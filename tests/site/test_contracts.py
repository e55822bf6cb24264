"""The page of what the sources promise says what the contract says."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from ingestion.contract import Column, Contract, Limit
from ingestion.load import LoadRecord
from orchestration.records import RunRecord, to_json
from orchestration.site.facts import Facts
from orchestration.site.pages import pages

ORDERS = Contract(
    table="orders",
    key=("id",),
    columns=(
        Column("id", "text", pattern="[0-9]+"),
        Column("total", "decimal", nullable=True, minimum=Decimal("0.01")),
        Column("state", "text", allowed=("paid", "open <b>"), pii=True),
    ),
    children=(("items", Contract("orders__items", ("id",), ())),),
    unknown="freeze",
    warn=Limit(7, 0.5),
)
NODE = {"source_name": "shop", "name": "orders", "description": "What was sold.",
        "freshness": None, "columns": {"total": {"description": "In euros."}}}  # fmt: skip
LOAD = LoadRecord("shop", "raw_shop", datetime.now(UTC), rejected={"orders": 3},
                  endpoints={"orders": "https://shop.example/orders"})  # fmt: skip


def page(facts: Facts) -> str:
    return " ".join(dict(pages(facts, False)).get("tables/contracts.html", "").split())


def test_each_rule_of_a_contract_is_in_words_on_the_page() -> None:
    run = RunRecord("r", "ingest", "passed", 0, finished_at=datetime.now(UTC), loads=[LOAD])
    said = page(Facts(
        datetime.now(UTC), manifest={"sources": {"source.x.shop.orders": NODE}},
        contracts={"shop": [ORDERS.promises()]}, runs=[json.loads(to_json(run))],
    ))  # fmt: skip
    for text in (
        "What was sold.", "https://shop.example/orders", "In euros.",
        "a string without NUL, of the form [0-9]+", "at least 0.01 or null",
        "one of paid, open &lt;b&gt;", "A column that is not here stops the load.",
        "More than 7 rows or 50% of a load", "Its lists become orders__items.",
        "set 3 rows aside",
    ):  # fmt: skip
        assert text in said, text
    assert said.count(">key<") == said.count(">pii<") == 1


def test_before_the_first_load_there_is_no_such_page() -> None:
    assert page(Facts(datetime.now(UTC))) == ""
