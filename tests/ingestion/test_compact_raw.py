"""Compaction of raw: every state from the cut-off on stays, and the next load does not notice."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.compact import History, find_cut_off, remove, survey
from ingestion.registry import SOURCES, contracts_of
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.as_of import SHOP, as_of, everything, load_ids
from tests.ingestion.peer import Peer
from tests.ingestion.raw import counts, current, said
from tests.ingestion.rows import CUSTOMER, changed, make_orders
from tests.ingestion.test_heal import REPLACED, RETIRED, run

pytestmark = pytest.mark.slow

TOMORROW = datetime.now(UTC) + timedelta(days=1)
WHOLE = "insert into raw_jaffle_shop._dlt_loads (load_id, status, inserted_at) values"


def compact(warehouse: Warehouse, load_id: str | None = None, *needed: str) -> History:
    """Count and remove, which must agree with each other and with what is left."""
    before = counts(warehouse)
    with warehouse.session() as session, session.cursor() as cursor:
        cut_off = find_cut_off(cursor, SHOP, TOMORROW, load_id)
        history = survey(cursor, SHOP, cut_off, needed)
        removed = remove(cursor, history)
    assert removed == {table: gone for table, (gone, _) in history.tables.items()}
    kept = {table: stay for table, (_, stay) in history.tables.items()}
    left = {table: rows for table, rows in before.items() if table in history.left_alone}
    assert counts(warehouse) == kept | left
    assert {table: gone + stay for table, (gone, stay) in history.tables.items()} | left == before
    return history


def gone(history: History) -> dict[str, int]:
    return {table: rows for table, (rows, _) in history.tables.items() if rows}


def live_a_day(peer: Peer, dice: random.Random) -> None:
    """Some of all that may happen: rows that are new, changed, changed back, gone, back again."""
    orders, customers = peer.tables["orders"], peer.tables["customers"]
    for order in orders:
        if dice.random() < 0.4:
            order["subtotal"] = dice.choice(["600", "700"])
        if dice.random() < 0.3:
            order["items"] = [
                {"id": f"{order['id']}-{sku}", "order_id": order["id"], "sku": sku}
                for sku in dice.sample(["JAF-001", "BEV-001", "JAF-002"], dice.randint(0, 3))
            ]
    orders += make_orders(f"n{len(orders)}")
    peer.tables["customers"] = [
        changed(CUSTOMER, id=customer, name=dice.choice(["Ada", "Grace"]))
        for customer in ("c1", "c2", "c3") if customer == "c1" or dice.random() < 0.7
    ]  # fmt: skip
    assert customers
    peer.tables["products"][0]["price"] = dice.choice(["1100", "1200"])
    peer.tables["supplies"][0]["cost"] = dice.choice(["7", "8"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_states_from_the_cut_off_on_stay_whole_and_nothing_else_does(
    peer, server, followed, load_into, seed
):
    dice = random.Random(seed)
    for _ in range(4):
        live_a_day(peer, dice)
        load_into(followed, peer.url)
    twin = make_database(server, like=followed)
    states = {load: as_of(followed, load) for load in load_ids(followed)}
    past, needed = sorted(states)[:2], sorted(states)[2:]

    history = compact(followed, needed[0])

    assert history.cut_off.load_id == needed[0]
    assert {"orders", "orders__items", "customers"} <= gone(history).keys()
    for load in needed:
        assert as_of(followed, load) == states[load], load
    for table, rows in everything(followed).items():
        assert set(rows) == set().union(*(states[load][table] for load in needed)), table
    assert all(as_of(followed, load) != states[load] for load in past)

    live_a_day(peer, dice)
    loaded = [load_into(database, peer.url) for database in (followed, twin)]
    assert loaded[0].loaded == loaded[1].loaded
    assert loaded[0].mended == {}
    assert current(followed) == current(twin) == said(peer.url)
    assert set(load_into(followed, peer.url).loaded.values()) == {0}, "nothing comes in twice"


@pytest.fixture
def there_and_back(peer, followed, load_into) -> Warehouse:
    """Three loads: o1 cost 600, 700, 600 again; c1 was called Ada Byron, Ada King, Ada Byron."""
    for subtotal, name in (("700", "Ada King"), ("600", "Ada Byron")):
        peer.tables["orders"][0]["subtotal"] = subtotal
        peer.tables["customers"][0]["name"] = name
        load_into(followed, peer.url)
    return followed


def test_the_same_content_in_two_loads_is_two_versions(there_and_back):
    second = load_ids(there_and_back)[1]
    assert gone(compact(there_and_back, second)) == {
        "orders": 1, "orders__items": 1, "customers": 1,
    }  # fmt: skip
    assert gone(compact(there_and_back)) == {"orders": 1, "orders__items": 1, "customers": 1}
    assert gone(compact(there_and_back)) == {}, "once is enough"
    items = "select count(*) from raw_jaffle_shop.orders__items where order_id = 'o1'"
    assert query(there_and_back, items) == [(1,)]
    assert as_of(there_and_back, load_ids(there_and_back)[2]) == everything(there_and_back)


def test_a_table_whose_history_is_read_is_left_alone_with_all_of_its_family(there_and_back):
    second = load_ids(there_and_back)[1]
    history = compact(there_and_back, second, "customers", "orders__items", "no_such_table")
    assert sorted(history.left_alone) == ["customers", "orders", "orders__items"]
    assert gone(history) == {}
    assert history.tables.keys() == {"products", "stores", "supplies"}


def test_two_versions_in_one_load_have_one_winner_and_its_items_stay(peer, followed, load_into):
    (load,) = load_ids(followed)
    # the macros take the lower hash; a doubled row has its items twice, and both are the winner
    run(followed,
        "insert into raw_jaffle_shop.orders select id, customer_id, store_id, ordered_at, 999, "
        "tax_paid, order_total, '~higher', _page, _dlt_load_id from raw_jaffle_shop.orders "
        "where id = 'o1'",
        "insert into raw_jaffle_shop.orders__items (id, order_id, sku, _dlt_id, _dlt_parent_id, "
        f"_dlt_load_id) values ('x', 'o1', 'JAF-001', 'x', '~higher', '{load}')",
        *(f"insert into raw_jaffle_shop.{table} select * from raw_jaffle_shop.{table} "
          f"where {column} = 'o2'" for table, column in (("orders", "id"),
                                                         ("orders__items", "order_id"))),
    )  # fmt: skip
    before = as_of(followed, load)
    assert gone(compact(followed)) == {"orders": 1, "orders__items": 1}
    assert as_of(followed, load) == before
    assert query(followed, "select count(*) from raw_jaffle_shop.orders") == [(4,)]
    assert set(load_into(followed, peer.url).loaded.values()) == {0}


def test_what_an_unfinished_load_left_outdates_nothing_and_is_healed_later(
    peer, there_and_back, load_into
):
    second, newest = load_ids(there_and_back)[1:]
    whole = as_of(there_and_back, newest)
    half = f"{float(newest) - 0.0001:.6f}"  # a load of before the cut-off that never completed
    run(there_and_back,
        "insert into raw_jaffle_shop.orders select id, customer_id, store_id, ordered_at, 999, "
        f"tax_paid, order_total, 'dead-' || id, _page, '{half}' from raw_jaffle_shop.orders",
        RETIRED, REPLACED)  # fmt: skip
    compact(there_and_back, second)
    assert query(there_and_back, "select count(distinct id) from raw_jaffle_shop.orders "
                 "where _dlt_id !~ '^dead-'") == [(3,)]  # fmt: skip
    record = load_into(there_and_back, peer.url)
    assert record.mended == {"orders": 5, "customers": 2}
    assert as_of(there_and_back, newest) == whole
    assert current(there_and_back) == said(peer.url)


def test_the_cut_off_is_the_newest_whole_load_before_the_day_and_not_after_what_is_needed(
    followed, warehouse
):
    (first,) = load_ids(followed)
    for load in ("'1900000001.1', 0, '2030-03-01'", "'1900000002.2', 1, '2030-03-02'",
                 "'1900000003.3', 0, '2030-03-03'"):  # fmt: skip
        run(followed, f"set timezone = 'UTC'; {WHOLE} ({load})")

    def cut_off(day: int, oldest: str | None = None) -> str | None:
        moment = datetime(2030, 3, day, tzinfo=UTC)
        with followed.session() as session, session.cursor() as cursor:
            found = find_cut_off(cursor, SHOP, moment, oldest)
        return found.load_id if found else None

    assert [cut_off(day) for day in (1, 2, 3, 4)] == [
        first, "1900000001.1", "1900000001.1", "1900000003.3",
    ]  # fmt: skip
    assert cut_off(4, "1900000002.9") == "1900000001.1"
    assert cut_off(4, "1500000000.0") is None
    with warehouse.session() as session, session.cursor() as cursor:
        assert find_cut_off(cursor, SHOP, TOMORROW, None) is None, "there is no raw"
        assert survey(cursor, SHOP, None, ()).tables == {}


def test_a_row_that_the_cut_off_itself_retired_goes_and_one_that_a_later_load_retired_stays(
    peer, there_and_back, load_into
):
    first, second, _ = load_ids(there_and_back)
    assert gone(compact(there_and_back, first)) == {}
    assert gone(compact(there_and_back, second))["customers"] == 1
    names = "select name from raw_jaffle_shop.customers where id = 'c1' order by _dlt_load_id"
    assert query(there_and_back, names) == [("Ada King",), ("Ada Byron",)]


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_each_source_says_which_tables_it_promises(source):
    tables = [contract.table for contract in contracts_of(source)]
    assert len(tables) == len(set(tables)) > 0
    if source == SHOP:
        assert {"orders", "orders__items", "customers", "items"} <= set(tables)
