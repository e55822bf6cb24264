"""`from ecluse import marts`: DataFrames of a version, with what is known of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from orchestration.errors import ConfigurationError
from orchestration.notebooks import marts
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import own_environment
from tests.orchestration.small import SmallPipe, load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pipe(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPipe]:
    """Three versions, of which two are kept; the third has another amount."""
    with own_environment():
        made = SmallPipe(tmp_path_factory.mktemp("marts") / "p", make_database(server))
        runs = []
        for amounts in ((5, 7), (5, 8), (5, 9, 11)):
            load(made.warehouse, *amounts)
            runs.append(made.run())
        made.runs = runs  # type: ignore[attr-defined]
        yield made


@pytest.fixture(autouse=True)
def _on_its_warehouse(pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECLUSE_WAREHOUSE_URL", pipe.warehouse.url())


def _run(pipe: SmallPipe, number: int) -> str:
    found: str = pipe.runs[number].record.run_id  # type: ignore[attr-defined]
    return found


def test_two_lines_give_what_readers_have(pipe: SmallPipe) -> None:
    orders = marts.read("orders")
    assert sorted(orders["amount"]) == [5, 9, 11]
    assert orders["amount"].dtype.kind == "i"


def test_it_knows_its_version_its_freshness_and_where_its_columns_come_from(
    pipe: SmallPipe,
) -> None:
    orders = marts.read("orders")
    known = marts.about(orders[orders["amount"] > 5])
    assert (known.mart, known.version, known.run_id) == ("orders", 3, _run(pipe, 2))
    assert known.lineage["amount"] == ["source.ecluse.shop.orders amount"]
    assert set(known.sources) == {"shop.orders"}
    assert known.age
    assert timedelta() < known.age < timedelta(hours=1)


def test_what_is_known_outlives_a_file(tmp_path: Path) -> None:
    import pandas as pd

    marts.read("orders").to_parquet(tmp_path / "orders.parquet")
    assert marts.about(pd.read_parquet(tmp_path / "orders.parquet")).version == 3


def test_another_dataframe_is_refused() -> None:
    import pandas as pd

    with pytest.raises(ConfigurationError, match="Nothing is known"):
        marts.about(pd.DataFrame())


def test_an_earlier_version_by_number_by_run_and_by_moment(pipe: SmallPipe) -> None:
    before = datetime.now(UTC)
    for way in ({"version": 2}, {"version": "v2"}, {"as_of": _run(pipe, 1)}):
        assert sorted(marts.read("orders", **way)["amount"]) == [5, 8], way
    (moment,) = query(pipe.warehouse, "select switched_at from ops.switches where version = 3")[0]
    just_before = moment - timedelta(microseconds=1)
    utc = just_before.astimezone(UTC).replace(tzinfo=None)
    for as_of in (just_before, just_before.isoformat(), utc, utc.isoformat()):
        assert marts.about(marts.read("orders", as_of=as_of)).version == 2, as_of
    assert marts.about(marts.read("orders", as_of=before)).version == 3


def test_after_a_rollback_the_rolled_back_version_was_live(pipe: SmallPipe) -> None:
    before = datetime.now(UTC)
    pipe.roll_back()
    try:
        assert marts.about(marts.read("orders")).version == 2
        assert marts.about(marts.read("orders", as_of=before)).version == 3
    finally:
        pipe.roll_back("3")


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ({"version": 9}, "no version 9. Versions: 3, 2, 1."),
        ({"version": 1}, "ecluse replay .* --keep"),
        ({"as_of": "2001-01-01"}, "Nothing was published yet as of 2001-01-01"),
        ({"as_of": "never"}, "no moment and no run 'never'"),
        ({"version": 1, "as_of": "never"}, "not both"),
    ],
)
def test_what_is_not_there_says_what_is(way: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        marts.read("orders", **way)  # type: ignore[arg-type]


def test_a_mart_that_is_not_there_says_which_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no mart 'order'\. Marts: orders"):
        marts.read("order")
    assert marts.names() == ["orders"]


def test_several_marts_are_read_as_of_one_moment(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another session commits between two statements stays unseen."""
    real = marts._tables

    def then_somebody_writes(connection: Connection, schema: str) -> list[str]:
        found = real(connection, schema)
        query(pipe.warehouse, "update marts.orders set amount = amount + 100; select 1")
        return found

    monkeypatch.setattr(marts, "_tables", then_somebody_writes)
    assert sorted(marts.read_all()["orders"]["amount"]) == [5, 9, 11]
    monkeypatch.undo()
    query(pipe.warehouse, "update marts.orders set amount = amount - 100; select 1")


def test_a_reader_who_may_see_the_marts_alone_reads_what_is_live(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(
        pipe.warehouse,
        "drop role if exists bi; create role bi login; grant usage on schema marts to bi; "
        "grant select on marts.orders to bi; select 1",
    )
    monkeypatch.setenv("ECLUSE_WAREHOUSE_URL", replace(pipe.warehouse, user="bi").url())
    orders = marts.read("orders")
    assert len(orders) == 3
    assert marts.about(orders) == marts.About("orders", "marts")
    with pytest.raises(ConfigurationError, match="and no earlier version"):
        marts.read("orders", version=2)
    query(pipe.warehouse, "drop owned by bi; drop role bi; select 1")
