"""Files as jafgen writes them, served value by value."""

import gzip
from datetime import date

import pytest
import requests

from ingestion.demo_api.files import FilesError, FileShop
from ingestion.demo_api.serve import running
from ingestion.demo_api.shop import ENDPOINTS, Days

FILES = {
    "customers": "id,name\nc1,Zoë O'Brien\nc2,Omar Khan\n",
    "orders": (
        "id,customer,ordered_at,store_id,subtotal,tax_paid,order_total\n"
        "o1,c1,2018-09-01T08:15:00,s1,1200,72,1272\n"
        "o2,c2,2018-09-02T23:59:00,s1,600,36,636\n"
        "o3,c1,2018-09-03T00:00:00,s1,0,0,0\n"
    ),
    "items": "id,order_id,sku\ni1,o2,BEV-001\ni2,o1,BEV-001\ni3,o1,BEV-003\n",
    "products": (
        'sku,name,type,price,description\nBEV-001,tangaroo,beverage,600,"mango, tangerine"\n'
    ),
    "stores": "id,name,opened_at,tax_rate\ns1,Philadelphia,2018-09-01T00:00:00,0.0600\n",
    "supplies": (
        "id,name,cost,perishable,sku\nSUP-1,fork,7,False,BEV-001\nSUP-2,mango,32,True,BEV-001\n"
    ),
}
ORDER = {
    "id": "o1",
    "customer_id": "c1",
    "store_id": "s1",
    "ordered_at": "2018-09-01T08:15:00",
    "subtotal": "1200",
    "tax_paid": "72",
    "order_total": "1272",
    "items": [
        {"id": "i2", "order_id": "o1", "sku": "BEV-001"},
        {"id": "i3", "order_id": "o1", "sku": "BEV-003"},
    ],
}


@pytest.fixture
def folder(tmp_path):
    for endpoint, text in FILES.items():
        (tmp_path / f"raw_{endpoint}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def zipped(path):
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_values_are_served_as_the_files_spell_them(folder, rows):
    shop = FileShop(folder)
    assert rows(shop, "orders")[0] == ORDER
    assert rows(shop, "stores")[0]["tax_rate"] == "0.0600"
    assert rows(shop, "customers")[0] == {"id": "c1", "name": "Zoë O'Brien"}
    assert rows(shop, "products")[0]["description"] == "mango, tangerine"
    assert [row["perishable"] for row in rows(shop, "supplies")] == [False, True]
    assert rows(shop, "items")[0] == {"id": "i1", "order_id": "o2", "sku": "BEV-001"}


def test_an_order_without_items_has_an_empty_list(folder, rows):
    assert rows(FileShop(folder), "orders")[2]["items"] == []


def test_gzipped_files_are_as_good_as_plain_ones(folder):
    plain = FileShop(folder)
    for path in list(folder.iterdir()):
        zipped(path)
    packed = FileShop(folder)
    for endpoint in ENDPOINTS:
        assert packed.page(endpoint, 0, 99) == plain.page(endpoint, 0, 99)


def test_days_narrow_orders_and_include_both_ends(folder, rows):
    shop = FileShop(folder)
    second = Days(date(2018, 9, 2), date(2018, 9, 2))
    assert [row["id"] for row in rows(shop, "orders", second)] == ["o2"]
    assert shop.count("orders", second) == 1
    assert shop.count("items", second) == 3


def test_pages_follow_the_files_order(folder):
    shop = FileShop(folder)
    assert b'"o2"' in shop.page("orders", 1, 1)
    assert shop.page("orders", 3, 1) == b"[]"


def test_the_server_serves_the_folder(folder, rows):
    with running(data=folder) as url:
        answer = requests.get(f"{url}/orders?page_size=2", timeout=10)
        assert answer.json() == rows(FileShop(folder), "orders")[:2]
        assert answer.headers["Link"] == '</api/v1/orders?page_size=2&page=2>; rel="next"'


def test_a_missing_file_is_named(folder):
    (folder / "raw_items.csv").unlink()
    with pytest.raises(FilesError, match=r"neither raw_items\.csv nor raw_items\.csv\.gz"):
        FileShop(folder)


def test_a_missing_column_is_named(folder):
    path = folder / "raw_orders.csv"
    path.write_text(path.read_text().replace("customer,", "client,", 1))
    with pytest.raises(FilesError, match=r"raw_orders\.csv has no column customer"):
        FileShop(folder)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bnot gzip at all"])
def test_a_file_that_is_no_csv_is_named(folder, content):
    (folder / "raw_stores.csv").unlink()
    (folder / "raw_stores.csv.gz").write_bytes(content)
    with pytest.raises(FilesError, match=r"raw_stores\.csv\.gz"):
        FileShop(folder)


def test_a_perishable_that_is_no_boolean_is_named(folder):
    path = folder / "raw_supplies.csv"
    path.write_text(path.read_text().replace("True", "perhaps"))
    with pytest.raises(FilesError, match=r"'perhaps', supply SUP-2"):
        FileShop(folder)
