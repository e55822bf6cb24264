"""What the tables of an API are called, by their paths."""

import pytest

from ingestion.probe.api import _tables


@pytest.mark.parametrize(
    ("paths", "tables"),
    [
        (["orders", "v1/customers.json?x=1"], ["orders", "customers"]),
        (["orders/rows", "items/rows"], ["orders", "items"]),
        (["rows"], ["rows"]),
        (["eu/orders", "us/orders"], ["orders", "us_orders"]),
    ],
)
def test_a_table_is_named_by_the_last_part_of_its_path_that_is_a_name(
    paths: list[str], tables: list[str]
) -> None:
    assert list(_tables(paths).values()) == tables
