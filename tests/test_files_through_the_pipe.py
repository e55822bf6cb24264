"""Files as jafgen writes them, through the whole pipe, against pandas: exact to the cent."""

import random
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import copy_project, ecluse

pytestmark = pytest.mark.slow

PRICES = {"JAF-001": 1100, "JAF-002": 700, "BEV-001": 600}
STORES = {"Philadelphia": 0.06, "Brooklyn": 0.04}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few weeks of two stores, some orders without items, as jafgen would write them."""
    folder = tmp_path_factory.mktemp("jafgen")
    dice = random.Random(11)

    def new_id() -> str:
        return str(uuid.UUID(int=dice.getrandbits(128)))

    customers = pd.DataFrame({"id": [new_id() for _ in range(40)], "name": 'Zoë O\'Neil, "Z"'})
    stores = pd.DataFrame(
        [(new_id(), name, "2018-09-01T00:00:00", rate) for name, rate in STORES.items()],
        columns=["id", "name", "opened_at", "tax_rate"],
    )
    orders, items = [], []
    for number in range(600):
        store = dice.choice(stores.to_dict("records"))
        skus = dice.choices(list(PRICES), k=dice.randrange(4))
        subtotal = sum(map(PRICES.__getitem__, skus))
        tax = int(subtotal / 100 * store["tax_rate"] * 100)
        when = datetime(2018, 9, 1, 8) + timedelta(minutes=73 * number)
        order = new_id()
        customer = dice.choice(customers["id"].tolist())
        orders.append((order, customer, when.isoformat(), store["id"], subtotal, tax))
        items += [(new_id(), order, sku) for sku in skus]
    frame = pd.DataFrame(
        orders, columns=["id", "customer", "ordered_at", "store_id", "subtotal", "tax_paid"]
    )
    frame["order_total"] = frame["subtotal"] + frame["tax_paid"]
    products = pd.DataFrame(
        [(sku, f"the {sku}", "jaffle" if sku[0] == "J" else "beverage", price, "good")
         for sku, price in PRICES.items()],
        columns=["sku", "name", "type", "price", "description"],
    )  # fmt: skip
    supplies = pd.DataFrame(
        [(f"SUP-00{n}", "napkin", 4, n % 2 == 0, sku) for n in (1, 2) for sku in PRICES],
        columns=["id", "name", "cost", "perishable", "sku"],
    )
    found = {
        "customers": customers,
        "orders": frame,
        "items": pd.DataFrame(items, columns=["id", "order_id", "sku"]),
        "products": products,
        "stores": stores,
        "supplies": supplies,
    }
    for name, table in found.items():
        suffix = ".csv.gz" if name == "orders" else ".csv"
        table.to_csv(folder / f"raw_{name}{suffix}", index=False)
    return folder


@pytest.fixture(scope="module")
def published(
    server: Warehouse, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    clone = copy_project(tmp_path_factory.mktemp("files") / "clone")
    warehouse = make_database(server)
    done = ecluse(clone, "run", warehouse=warehouse, ECLUSE_DEMO_DATA=str(files))
    assert done.returncode == 0, done.stderr
    return warehouse


def read(files: Path, name: str) -> pd.DataFrame:
    path = next(files.glob(f"raw_{name}.csv*"))
    return pd.read_csv(path)


def cents(dollars: object) -> int:
    return round(float(str(dollars)) * 100)


@pytest.mark.parametrize(
    ("file", "table"),
    [(name, name) for name in ("customers", "orders", "products", "stores", "supplies")]
    + [("items", "orders__items")],
)
def test_raw_holds_every_row_of_the_file_once(
    published: Warehouse, files: Path, file: str, table: str
) -> None:
    assert query(published, f"select count(*) from raw_jaffle_shop.{table}") == [
        (len(read(files, file)),)
    ]


def test_every_order_is_published_to_the_cent(published: Warehouse, files: Path) -> None:
    orders = read(files, "orders").set_index("id")
    rows = query(
        published, "select order_id, subtotal, tax_paid, order_total, ordered_at from marts.orders"
    )
    assert len(rows) == len(orders)
    for order_id, subtotal, tax, total, ordered_at in rows:
        source = orders.loc[order_id]
        expected = (source["subtotal"], source["tax_paid"], source["order_total"])
        assert (cents(subtotal), cents(tax), cents(total)) == expected
        assert ordered_at.isoformat() == source["ordered_at"]


def test_daily_sales_are_what_pandas_sums(published: Warehouse, files: Path) -> None:
    orders = read(files, "orders")
    orders["day"] = orders["ordered_at"].str[:10]
    expected = orders.groupby(["store_id", "day"])["order_total"].agg(["sum", "count"])
    rows = query(
        published,
        "select store_id, ordered_on::text, order_total, count_orders from marts.daily_sales",
    )
    found = {(store, day): (cents(total), count) for store, day, total, count in rows if count}
    assert found == {key: (row["sum"], row["count"]) for key, row in expected.iterrows()}


def test_customers_spend_what_pandas_sums(published: Warehouse, files: Path) -> None:
    spent = read(files, "orders").groupby("customer")["order_total"].sum()
    rows = query(published, "select customer_id, lifetime_spend from marts.customers")
    assert len(rows) == len(read(files, "customers"))
    assert {key: cents(value) for key, value in rows if value} == spent[spent > 0].to_dict()


def test_items_carry_their_products_price(published: Warehouse, files: Path) -> None:
    prices = read(files, "items")["sku"].map(PRICES)
    rows = query(published, "select count(*), sum(product_price) from marts.order_items")
    assert (rows[0][0], cents(rows[0][1])) == (len(prices), prices.sum())
