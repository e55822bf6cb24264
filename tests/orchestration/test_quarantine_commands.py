"""The quarantine at the command line: seen, exported, edited, replayed, and in the record."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import reports
from orchestration.errors import ConfigurationError, DataRejected, WarehouseForbids
from orchestration.exports import read_rows, write_rows
from orchestration.failures import failed_rows
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.ingestion.peer import Peer
from tests.ingestion.rows import make_orders
from tests.newcomer import copy_project, ecluse
from tests.orchestration.conftest import Guests
from tests.orchestration.small import MODELS, SmallPipe, load

ROWS = [{"_dlt_id": "a", "content": '{"name": "Zoë,\n\\"x\\""}', "page": 1, "gone": None}]
SHOP = "SOURCES__JAFFLE_SHOP__BASE_URL"


@pytest.fixture
def broken_peer() -> Iterator[Peer]:
    with Peer() as peer:
        peer.tables["orders"] += make_orders("o4", "o5", subtotal="-5")
        peer.tables["customers"][0]["name"] = 7
        yield peer


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_come_back_from_a_file_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    write_rows(path, ROWS, ("content", "_dlt_id"))
    assert read_rows(path) == [{"content": ROWS[0]["content"], "_dlt_id": "a"}]


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "no such folder/rows.csv"])
def test_a_file_that_cannot_be_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"give a file that ends in|cannot be written"):
        write_rows(tmp_path / name, ROWS, ("content",))
    with pytest.raises(ConfigurationError, match=r"give a file that ends in|cannot be read"):
        read_rows(tmp_path / name)


@pytest.mark.slow
def test_rows_that_fail_a_dbt_test_are_kept_where_no_reader_sees_them_and_masked_when_shown(
    tmp_path: Path, warehouse: Warehouse, guest: Guests, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = SmallPipe(tmp_path / "p", warehouse)
    pipe.run("collect")
    tagged = MODELS.replace("{name: amount,", "{name: amount, config: {tags: [pii]},")
    pipe.write("models/marts/_models.yml", tagged)
    load(warehouse, 5, -7, -9)
    with pytest.raises(DataRejected):
        pipe.run("collect")

    with warehouse.session() as session:
        rows = failed_rows(session, pipe.settings, "no_negative_amount")
        assert rows == [{"id": 2, "amount": "***"}, {"id": 3, "amount": "***"}]
        assert failed_rows(session, pipe.settings, "no_such_test") is None
    kept = query(warehouse, "select amount from quarantine.no_negative_amount order by 1")
    assert kept == [(-9,), (-7,)]
    with pytest.raises(WarehouseForbids, match="permission denied for schema quarantine"):
        query(guest(), "select * from quarantine.no_negative_amount")
    stored = query(warehouse, "select stored_in from ops.test_results where status = 'fail'")
    assert stored[0][0].endswith('"quarantine"."no_negative_amount"')
    reports.show(pipe.settings, "latest", as_json=False)
    assert "ecluse quarantine show no_negative_amount" in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_is_rejected_exported_edited_and_replayed(
    tmp_path: Path, warehouse: Warehouse, broken_peer: Peer
) -> None:
    clone = copy_project(tmp_path / "clone")

    def run(*args: str, code: int = 0) -> str:
        done = ecluse(clone, *args, warehouse=warehouse, **{SHOP: broken_peer.url})
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    said = run("ingest")
    assert "3 rows rejected (orders 2, customers 1): `.venv/bin/ecluse quarantine list`" in said
    counts = "select table_name, rows_rejected from ops.load_tables where rows_rejected > 0"
    assert query(warehouse, counts + " order by 1") == [("customers", 1), ("orders", 2)]
    changes = "select changes from ops.loads"
    assert query(warehouse, changes) == [
        (["customers: column name has changed its type (rows with it are set aside)"],),
        ([],),
    ]
    assert "2 rejected" in run("runs", "show", "latest")

    said = run("quarantine", "list")
    assert "jaffle_shop.orders: 2 wait since" in said
    assert "2  column subtotal: expected a whole number in a string, at least 0" in said
    heaps = json.loads(run("quarantine", "list", "--json"))
    assert {heap["table"]: heap["waiting"] for heap in heaps} == {"orders": 2, "customers": 1}
    assert "Grace" not in run("quarantine", "show", "customers")
    assert "got -5" in run("quarantine", "show", "orders", "--limit", "1")
    said = run("quarantine", "show", "stores", code=2)
    assert "No rows of 'stores' are in quarantine. Tables: jaffle_shop." in said

    path = clone / "orders.csv"
    assert run("quarantine", "export", "orders", str(path)) == f"2 rows of orders in {path}\n"
    rows = list(csv.DictReader(path.open()))
    rows[0]["content"] = rows[0]["content"].replace("-5", "5")
    write_rows(path, rows, list(rows[0]))
    replayed = json.loads(run("quarantine", "replay", "--fixed", str(path), "--json"))
    assert replayed["steps"][0]["detail"] == "orders: 1 left the quarantine, 1 wait"
    assert (replayed["kind"], replayed["status"]) == ("quarantine", "passed")
    released = "select released_by, released_how from raw_jaffle_shop.orders__rejected order by 1"
    assert query(warehouse, released) == [
        (replayed["run_id"], "replayed, edited by hand"), (None, None),
    ]  # fmt: skip
    assert query(warehouse, "select count(*) from raw_jaffle_shop.orders") == [(4,)]
    kept = "select rows_released, rows_loaded from ops.load_tables where rows_released > 0"
    assert query(warehouse, kept) == [(1, 1)]

    write_rows(path, [{"_dlt_id": "nobody", "content": "{}"}], ("_dlt_id", "content"))
    replay = ("quarantine", "replay", "--fixed", str(path))
    assert "never rejected here: nobody" in run(*replay, code=2)
    path.write_text("a,b\n1,2\n")
    assert "row 1: it must have _dlt_id" in run(*replay, code=2)
    assert "orders: 0 left the quarantine, 1 wait" in run("quarantine", "replay", "orders")
