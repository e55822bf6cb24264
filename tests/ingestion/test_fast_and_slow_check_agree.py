"""The column-wise check and the row-wise search for breaches give the same verdict on any row."""

import json
import random

import pyarrow as pa
import pytest

from ingestion.check import find_breaches
from ingestion.contract import Column, Contract
from ingestion.decode import decode
from ingestion.sift import sift
from ingestion.sources.jaffle_shop.contract import ORDERS, PRODUCTS, STORES, SUPPLIES
from tests.ingestion.rows import ORDER, PRODUCT, STORE, SUPPLY, changed, page

ANYTHING = [
    None, True, False, 0, 1, -1, 1.5, 1e300, "", " ", "x", [], {}, [1], [None], [[]], {"id": "x"},
    "0", "7", "-7", "+7", "007", " 7", "7 ", "1_0", "0x1f", "0X1F", "-0x1f", "1e3", "1E-2", "1.0",
    "\uff19", "1" * 18, "1" * 19, "9" * 19, "1" * 40, "-", "--1", "NaN", "inf", "-Infinity", ".5",
    "5.", "0.06", "1.0000000", "0.1234567", "999.999999", "1000", "1e400", "1,5", "0b1",
    "2024-09-01", "2024-09-01 08:15", "2024-09-01T08", "2024-09-01T08:15:00", "20240901",
    "2024-09-01T08:15:00.1", "2024-09-01T08:15:00.123456", "2024-09-01T08:15:00.1234567",
    "2024-09-01T08:15:00,5", "2024-09-01T08:15:00Z", "2024-09-01T08:15:00+00:00", "2024-W35-6",
    "2024-02-30T00:00:00", "2024-09-01T24:00:00", "2024-09-01T23:59:60", "0000-01-01T00:00:00",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59", "10000-01-01T00:00:00", "2024-09-01x08:15:00",
    "\0", "a\0b", "\\u0000", "\\\\u0000", "\x1f", "😀", "é", '"', "\\", "\n", "null", "true",
]  # fmt: skip
KEYS = ["id", "sku", "extra", "_dlt_id", "Id", "items"]
GOOD = [(ORDERS, ORDER), (PRODUCTS, PRODUCT), (STORES, STORE), (SUPPLIES, SUPPLY)]


def quick_verdict(rows: list, contract: Contract) -> bool:
    try:
        decode(page(*rows), contract)
    except pa.ArrowInvalid:
        return False
    return True


def slow_verdict(rows: list, contract: Contract) -> bool:
    return not list(find_breaches(page(*rows), contract))


def mutate(row: dict, rng: random.Random) -> dict:
    """Change, drop, add or swap something, now and then inside an item."""
    row = changed(row)
    if row.get("items") and rng.random() < 0.4:
        place = rng.randrange(len(row["items"]))
        row["items"][place] = (
            mutate(row["items"][place], rng) if rng.random() < 0.8 else rng.choice(ANYTHING)
        )
        return row
    name = rng.choice([*row, *row, *row, rng.choice(KEYS)])
    if name in row and rng.random() < 0.15:
        del row[name]
    else:
        row[name] = rng.choice(ANYTHING)
    return row


@pytest.mark.parametrize(("contract", "good"), GOOD, ids=[each[0].table for each in GOOD])
def test_on_rows_changed_at_random(contract, good):
    rng = random.Random(2024)
    kept = 0
    for _ in range(300):
        row = mutate(good, rng)
        verdict = quick_verdict([row], contract)
        assert verdict == slow_verdict([row], contract), json.dumps(row)
        assert verdict == quick_verdict([good, row, good], contract), json.dumps(row)
        kept += verdict
    assert 10 < kept < 290, "the mutations must make both good and bad rows"


@pytest.mark.parametrize("nullable", [False, True], ids=["not null", "nullable"])
@pytest.mark.parametrize(
    "type_",
    ["text", "whole", "decimal", "float", "boolean", "timestamp", "zoned", "date", "json"],
)
def test_on_every_odd_value_in_every_type_of_column(type_, nullable):
    zoned = type_ == "zoned"
    column = Column("v", "timestamp" if zoned else type_, nullable, zoned=zoned)
    contract = Contract("odd", ("v",), (column, Column("w", "text")))
    for value in ANYTHING:
        row = {"v": value, "w": "x"}
        assert quick_verdict([row], contract) == slow_verdict([row], contract), repr(value)
    rows = [{"v": value, "w": "x"} for value in ANYTHING]
    bad = {place for place, row in enumerate(rows, 1) if not quick_verdict([row], contract)}
    found = sift(page(*rows), contract)
    assert {breach.row for breach in found.breaches} == bad
    assert found.tables["odd"].num_rows == len(rows) - len(bad) > 0


def test_the_rows_that_are_named_are_those_that_are_refused_alone():
    rng = random.Random(7)
    for _ in range(50):
        rows = [mutate(ORDER, rng) if rng.random() < 0.3 else ORDER for _ in range(8)]
        named = {breach.row for breach in find_breaches(page(*rows), ORDERS)}
        alone = {place for place, row in enumerate(rows, 1) if not quick_verdict([row], ORDERS)}
        assert named == alone
        assert {breach.row for breach in sift(page(*rows), ORDERS).breaches} == alone
