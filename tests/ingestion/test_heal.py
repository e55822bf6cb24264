"""What a dead load left in raw is removed or revived by the next one: exactly that, and no more."""

import threading
import time

import dlt
import pytest
from dlt.destinations.exceptions import DatabaseException

from ingestion.errors import RowsRejected
from ingestion.heal import heal
from tests.databases import query
from tests.ingestion.raw import contents, counts, current, said

pytestmark = pytest.mark.slow

DEAD = "1700000000.1234567"  # dlt's load ids are unix times, now and then with seven digits


def run(warehouse, *statements):
    with warehouse.session() as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


ORDERS_OF_THE_DEAD = f"""
    insert into raw_jaffle_shop.orders
    select
        id, customer_id, store_id, ordered_at, 999, tax_paid, order_total, 'dead-' || id, _page,
        '{DEAD}'
    from raw_jaffle_shop.orders limit 2
"""
ITEMS_OF_THE_DEAD = f"""
    insert into raw_jaffle_shop.orders__items (id, order_id, sku, _dlt_id, _dlt_load_id)
    select id, order_id, 'JAF-999', 'dead-' || id, '{DEAD}' from raw_jaffle_shop.orders__items
"""
# dlt retires the row that changed, at the moment its package was made, and inserts the new one
RETIRED = f"""
    update raw_jaffle_shop.customers set _dlt_valid_to = to_timestamp({DEAD})
    where id = 'c1' and _dlt_valid_to is null
"""
REPLACED = f"""
    insert into raw_jaffle_shop.customers (_dlt_valid_from, id, name, _dlt_id, _dlt_load_id)
    values (to_timestamp({DEAD}), 'c1', 'Ada Nobody', 'dead', '{DEAD}')
"""


@pytest.fixture
def loaded(peer, followed, load_into):
    """Two loads: c1 has a history, o1 two versions."""
    peer.tables["customers"][0]["name"] = "Ada King"
    peer.tables["orders"][0]["subtotal"] = "700"
    load_into(followed, peer.url)
    return followed


def test_rows_of_a_dead_load_are_removed_and_what_it_retired_is_revived(peer, loaded, load_into):
    before = contents(loaded)
    run(loaded, ORDERS_OF_THE_DEAD, ITEMS_OF_THE_DEAD, RETIRED, REPLACED)

    record = load_into(loaded, peer.url)

    assert record.mended == {"orders": 2, "orders__items": 4, "customers": 2}
    assert contents(loaded) == before
    assert set(record.loaded.values()) == {0}


def test_a_snapshot_that_was_never_merged_and_a_cursor_that_never_counted_are_removed(
    peer, loaded, load_into
):
    run(
        loaded,
        "insert into raw_jaffle_shop_loading.customers select * from raw_jaffle_shop.customers",
        f"insert into raw_jaffle_shop._dlt_pipeline_state select version, engine_version, "
        f"pipeline_name, state, created_at, version_hash, '{DEAD}', _dlt_id || 'x' "
        "from raw_jaffle_shop._dlt_pipeline_state limit 1",
    )
    record = load_into(loaded, peer.url)
    assert record.mended == {"_dlt_pipeline_state": 1, "raw_jaffle_shop_loading.customers": 3}
    assert record.healed() == [
        "removed or revived rows that a dead load had left: _dlt_pipeline_state 1, "
        "raw_jaffle_shop_loading.customers 3"
    ]
    assert query(loaded, "select count(*) from raw_jaffle_shop_loading.customers") == [(0,)]
    assert load_into(loaded, peer.url).healed() == []


def test_a_healing_that_is_killed_half_way_has_changed_nothing(loaded, tmp_path):
    run(loaded, ORDERS_OF_THE_DEAD, RETIRED, REPLACED)
    before = contents(loaded)
    trap = "create function no() returns trigger language plpgsql as $$begin raise 'no'; end$$; "
    trap += "create trigger no before delete on raw_jaffle_shop.orders execute function no()"
    run(loaded, trap)
    pipeline = dlt.pipeline(
        "heal", str(tmp_path), destination=dlt.destinations.postgres(loaded.url()),
        dataset_name="raw_jaffle_shop",
    )  # fmt: skip
    with pytest.raises(DatabaseException), pipeline.sql_client() as client:
        heal(client)
    assert contents(loaded) == before


def test_a_healthy_raw_is_left_alone(peer, loaded, load_into):
    for name in ("Ada K", "Ada L"):
        peer.tables["customers"][0]["name"] = name
        assert load_into(loaded, peer.url).mended == {}
    assert counts(loaded)["customers"] == 5
    sql = "select count(*) from raw_jaffle_shop.customers where _dlt_valid_to is not null"
    assert query(loaded, sql) == [(3,)]


@pytest.mark.parametrize(
    ("load_id", "retired_at", "revived"),
    [
        ("1700000000.123456", "1700000000.123456", False),
        ("1700000000.1234569", "1700000000.123456", False),  # cut
        ("1700000000.1234569", "1700000000.123457", False),  # rounded
        ("1700000000.1234561", "1700000000.123458", True),
        ("1700000000.123456", "1700000000.223456", True),
    ],
)
def test_a_row_stays_retired_if_a_whole_load_retired_it(
    followed, tmp_path, load_id, retired_at, revived
):
    """A load id has up to seven digits, a timestamp six."""
    retire = f"_dlt_valid_to = case when id = 'c1' then to_timestamp({retired_at}) end"
    run(
        followed,
        f"update raw_jaffle_shop._dlt_loads set load_id = '{load_id}'",
        f"update raw_jaffle_shop.customers set _dlt_load_id = '{load_id}', {retire}",
    )
    destination = dlt.destinations.postgres(followed.url())
    pipeline = dlt.pipeline(
        "heal", str(tmp_path), destination=destination, dataset_name="raw_jaffle_shop"
    )
    with pipeline.sql_client() as client:
        heal(client)
    sql = "select id from raw_jaffle_shop.customers where _dlt_valid_to is null order by id"
    assert query(followed, sql) == ([("c1",), ("c2",)] if revived else [("c2",)])


def test_rows_are_mended_even_when_the_load_then_fails(peer, loaded, load_into):
    before = contents(loaded)
    run(loaded, ORDERS_OF_THE_DEAD, RETIRED, REPLACED)
    peer.tables["stores"] = []
    with pytest.raises(RowsRejected):
        load_into(loaded, peer.url)
    assert contents(loaded) == before


def test_a_dead_loads_news_come_in_by_the_next_load(peer, loaded, load_into):
    run(loaded, RETIRED, REPLACED)
    peer.tables["customers"][0]["name"] = "Ada Lovelace"
    record = load_into(loaded, peer.url)
    assert record.mended == {"customers": 2}
    assert record.loaded["customers"] == 1
    assert current(loaded) == said(peer.url)


def test_what_a_killed_process_still_has_running_in_the_server_is_waited_for(
    peer, loaded, load_into
):
    before = contents(loaded)
    with loaded.session() as zombie, zombie.cursor() as cursor:
        zombie.autocommit = False
        for statement in (RETIRED, REPLACED):
            cursor.execute(statement)

        def end():
            time.sleep(0.7)
            zombie.commit()

        thread = threading.Thread(target=end)
        thread.start()
        record = load_into(loaded, peer.url)
        thread.join()
    assert record.mended == {"customers": 2}
    assert contents(loaded) == before


def test_a_dead_load_in_a_raw_that_is_empty_leaves_nothing(peer, warehouse, load_into):
    for table in peer.tables:
        peer.tables[table] = []
    load_into(warehouse, peer.url)
    run(warehouse, REPLACED)
    assert load_into(warehouse, peer.url).mended == {"customers": 1}
    assert set(counts(warehouse).values()) == {0}
