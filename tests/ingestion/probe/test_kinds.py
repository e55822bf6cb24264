"""A column is declared as what no later row is likely to break, and never loses a digit."""

import pytest

from ingestion.probe.asking import Number
from ingestion.probe.contracts import draw
from ingestion.probe.kinds import kind_of
from ingestion.probe.names import personal


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        ("count", [1, 2, None], "whole"),
        ("count", [1, 2**63], "json"),
        ("level", [1, Number("2.5")], "float"),
        ("level", [Number("0.1234567890123456789")], "json"),
        ("price", [1, 2], "decimal"),
        ("price", [1, Number("2.5")], "decimal"),
        ("price", [Number("0.30000000000000004")], "float"),
        ("flag", [True, False], "boolean"),
        ("flag", [True, 1], "json"),
        ("zip", ["01234", "1234"], "text"),
        ("zip", ["1234", "5678"], "text"),
        ("amount", ["600", "36"], "whole"),
        ("fee", ["1.50", "2.00"], "decimal"),
        ("fee", ["1.50", "2.0"], "text"),
        ("day", ["2024-01-31", None], "date"),
        ("day", ["2024-01-31", "n/a"], "text"),
        ("day", ["2024-01-31", "2024-01-31T08:00:00"], "text"),
        ("at", ["2024-01-31T08:00:00", "2024-01-31 08:00:00.123456"], "timestamp"),
        ("at", ["2024-01-31T08:00:00Z", "2024-01-31T08:00:00+02:00"], "timestamp"),
        ("at", ["2024-01-31T08:00:00Z", "2024-01-31T08:00:00"], "text"),
        ("what", [{"a": 1}, "b"], "json"),
        ("what", [None, None], "json"),
        ("what", [""], "text"),
    ],
)
def test_the_type_of_a_column(name: str, values: list[object], wanted: str) -> None:
    assert kind_of(name, values).type == wanted


def test_a_zone_is_seen_and_a_number_of_the_description_may_have_a_fraction() -> None:
    assert kind_of("at", ["2024-01-31T08:00:00Z"]).zoned
    assert not kind_of("at", ["2024-01-31T08:00:00"]).zoned
    assert kind_of("level", [1, 2], "number").type == "decimal"


def test_a_fixed_number_of_decimals_stays_it() -> None:
    assert kind_of("fee", ["1.50", "12.00"]).digits == (38, 2)


@pytest.mark.parametrize(
    ("table", "column", "wanted"),
    [
        ("orders", "email", True), ("orders", "customer__name", True), ("customers", "name", True),
        ("products", "name", False), ("users", "birth_date", True),
        ("orders", "address_line_1", True),
        ("orders", "shipped_at", False), ("orders", "email_sent", False),
    ],
)  # fmt: skip
def test_what_is_taken_for_something_of_a_person(table: str, column: str, wanted: bool) -> None:
    assert personal(table, column) is wanted


def rows(**columns: list[object]) -> list[dict[str, object]]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def test_a_key_is_unique_never_null_and_looks_like_one() -> None:
    numbers = list(range(30))
    assert draw("orders", rows(price=numbers, id=numbers)).contract.key == ("id",)
    assert draw("orders", rows(order_id=numbers, uuid=numbers)).contract.key == ("order_id",)
    assert draw("orders", rows(id=[*numbers[:-1], None], sku=numbers)).contract.key == ("sku",)
    lines = rows(order_id=[n // 2 for n in numbers], line=[n % 2 for n in numbers])
    assert draw("lines", lines).contract.key == ("order_id", "line")


def test_without_a_key_the_row_is_its_own_and_that_is_said() -> None:
    drawn = draw("readings", rows(price=list(range(30)), unit=["m"] * 30))
    assert drawn.contract.key == ()
    assert any("no key" in doubt for doubt in drawn.doubts)


def test_objects_are_columns_lists_are_tables_and_only_the_key_is_never_null() -> None:
    found = draw("orders", [
        {"id": n, "who": {"firstName": "A", "at": None}, "tags": ["a"] * (n % 2),
         "lines": [{"sku": "s", "parts": [{"n": 1}]}], "none": []}
        for n in range(30)
    ]).contract  # fmt: skip
    assert {c.name: (c.type, c.nullable) for c in found.columns} == {
        "id": ("whole", False), "who__first_name": ("text", True), "who__at": ("json", True),
        "none": ("json", True),
    }  # fmt: skip
    assert [child.table for child in found.nested()] == [
        "orders__tags", "orders__lines", "orders__lines__parts"]  # fmt: skip
    assert [c.name for c in found.children[0][1].columns] == ["value"]


def test_the_loader_has_the_last_word_on_a_type() -> None:
    columns = draw("logs", rows(day=["2024-04-31"] * 9, at=["0000-00-00 00:00:00"] * 9)).contract
    assert [column.type for column in columns.columns] == ["text", "text"]
