"""Snapshots keep every version of a row with its validity, and never believe an empty list."""

from decimal import Decimal

import pytest

from ingestion.errors import RowsRejected
from tests.databases import query
from tests.ingestion.raw import contents, counts, current, said
from tests.ingestion.rows import CUSTOMER, PRODUCT, STORE, changed

SNAPSHOTS = ["customers", "supplies"]


def history(warehouse):
    """The customers' versions: name, whether it is valid now."""
    sql = """select id, name, _dlt_valid_to is null from raw_jaffle_shop.customers
             order by id, _dlt_valid_from"""
    return query(warehouse, sql)


def test_a_renamed_customer_has_a_history(peer, followed, load_into):
    peer.tables["customers"][0]["name"] = "Ada Lovelace"
    record = load_into(followed, peer.url)

    assert record.loaded["customers"] == 1
    assert history(followed) == [
        ("c1", "Ada Byron", False),
        ("c1", "Ada Lovelace", True),
        ("c2", "Grace Hopper", True),
    ]
    assert current(followed) == said(peer.url)


def test_the_versions_of_a_row_join_without_a_gap(peer, followed, load_into):
    for name in ("Ada King", "Ada Lovelace"):
        peer.tables["customers"][0]["name"] = name
        load_into(followed, peer.url)
    sql = """select a.name, b.name from raw_jaffle_shop.customers as a
             inner join raw_jaffle_shop.customers as b on a._dlt_valid_to = b._dlt_valid_from
             where a.id = 'c1' and b.id = 'c1' order by a._dlt_valid_from"""
    assert query(followed, sql) == [("Ada Byron", "Ada King"), ("Ada King", "Ada Lovelace")]


def test_a_name_that_changes_back_is_a_version_of_its_own(peer, followed, load_into):
    for name in ("Ada King", "Ada Byron"):
        peer.tables["customers"][0]["name"] = name
        load_into(followed, peer.url)
    assert [row for row in history(followed) if row[0] == "c1"] == [
        ("c1", "Ada Byron", False),
        ("c1", "Ada King", False),
        ("c1", "Ada Byron", True),
    ]


def test_a_row_that_is_gone_is_closed_and_may_come_back(peer, followed, load_into):
    gone = peer.tables["customers"].pop()
    load_into(followed, peer.url)
    assert current(followed) == said(peer.url)
    peer.tables["customers"].append(gone)
    load_into(followed, peer.url)
    assert history(followed)[1:] == [("c2", "Grace Hopper", False), ("c2", "Grace Hopper", True)]


@pytest.mark.parametrize("table", SNAPSHOTS)
def test_an_empty_list_is_refused_and_changes_nothing(peer, followed, load_into, table):
    before, rows = contents(followed), len(peer.tables[table])
    peer.tables[table] = []
    with pytest.raises(RowsRejected) as refused:
        load_into(followed, peer.url)
    assert str(refused.value) == (
        f"{table}: the API sent an empty list, but {rows} rows are current. Nothing was changed. "
        f"If they are really gone, say so with `.venv/bin/ecluse ingest --allow-empty {table}`."
    )
    assert contents(followed) == before


def test_an_empty_list_that_is_allowed_closes_all_rows_of_that_table_only(
    peer, followed, load_into
):
    peer.tables["customers"] = []
    load_into(followed, peer.url, allow_empty=("customers",))
    assert current(followed) == said(peer.url)
    assert len(history(followed)) == 2

    load_into(followed, peer.url)  # nothing is current any more: nothing to lose
    peer.tables["products"] = []
    with pytest.raises(RowsRejected, match="products"):
        load_into(followed, peer.url, allow_empty=("customers",))


def test_the_first_load_of_an_empty_api_makes_all_tables(peer, warehouse, load_into):
    full = dict(peer.tables)
    for table in peer.tables:
        peer.tables[table] = []
    record = load_into(warehouse, peer.url)
    assert set(counts(warehouse).values()) == {0}
    assert set(record.loaded.values()) == {0}
    load_into(warehouse, peer.url)

    peer.tables.update(full)
    load_into(warehouse, peer.url)
    assert current(warehouse) == said(peer.url)


@pytest.mark.parametrize("page_size", [2, 500])
def test_a_row_that_comes_twice_alike_is_loaded_once(peer, warehouse, load_into, page_size):
    peer.tables["customers"] = [CUSTOMER, CUSTOMER, changed(CUSTOMER, id="c3"), CUSTOMER]
    record = load_into(warehouse, peer.url, page_size=page_size)
    assert (record.received["customers"], record.loaded["customers"]) == (4, 2)
    assert current(warehouse) == said(peer.url)


def test_a_column_of_nulls_exists_from_the_first_load_on(peer, warehouse, load_into):
    peer.tables["products"] = [changed(PRODUCT, description=None)]
    load_into(warehouse, peer.url)
    sql = "select description from raw_jaffle_shop.products"
    assert query(warehouse, sql) == [(None,)]
    peer.tables["products"] = [PRODUCT]
    load_into(warehouse, peer.url)
    assert current(warehouse) == said(peer.url)


def test_odd_texts_and_exact_numbers_arrive_as_they_are(peer, warehouse, load_into):
    texts = ["", " ", "\\N", "NULL", "a,b;\"c\"\t'd'\n\r\\", "Zoë 😀 漢字", "x" * 20_000]
    peer.tables["customers"] = [{"id": str(n), "name": text} for n, text in enumerate(texts)]
    peer.tables["products"] = [changed(PRODUCT, price=str(2**63 - 1), description="")]
    peer.tables["stores"] = [
        changed(STORE, id=rate, tax_rate=rate) for rate in ("0.1", "0.000001", "0.333333", "1")
    ]
    load_into(warehouse, peer.url)
    found = current(warehouse)
    assert {name for _, name in found["customers"]} == set(texts)
    assert query(warehouse, "select price, description from raw_jaffle_shop.products") == [
        (2**63 - 1, "")
    ]
    assert {rate for *_, rate in found["stores"]} == {
        Decimal(rate) for rate in ("0.1", "0.000001", "0.333333", "1")
    }
    sql = "select sum(tax_rate)::text from raw_jaffle_shop.stores"
    assert query(warehouse, sql) == [("1.433334",)]
