"""Two hundred publications beside readers of every kind: nobody sees what they must not."""

from pathlib import Path

import pytest

from orchestration.warehouse import Warehouse
from tests.chaos.servers import SYSTEM, System
from tests.databases import make_database, query
from tests.publication.load import Load, play, publish, table, watching
from tests.publication.readers import MIXES

PUBLICATIONS = 200
ROWS = 200


def judge(load: Load, reads: int) -> None:
    print("\n".join(table(load)))
    assert load.wrong == []
    for seen in load.seen:
        if not seen.kind.pause:
            assert len(seen.waits) > reads, seen.kind.name
    assert all(len(bench.waits) > reads for bench in load.benches)


@pytest.mark.long
def test_on_the_embedded_server(server: Warehouse, tmp_path: Path) -> None:
    warehouse = make_database(server)
    judge(play(warehouse, tmp_path, PUBLICATIONS, 20_000), PUBLICATIONS)
    assert query(warehouse, "select distinct version from marts.orders") == [(PUBLICATIONS,)]


@pytest.mark.long
@pytest.mark.skipif(not SYSTEM, reason="the system has no PostgreSQL in /usr/lib/postgresql")
def test_on_the_system_s_postgresql(tmp_path: Path) -> None:
    system, fewer = System(), PUBLICATIONS // 4
    try:
        judge(play(system.warehouse, tmp_path, fewer, 20_000), fewer)
    finally:
        system.stop()


@pytest.mark.slow
@pytest.mark.parametrize("mix", MIXES)
def test_some_publications_of_small_marts(server: Warehouse, tmp_path: Path, mix: str) -> None:
    some = 10 if mix == "readers" else 3
    judge(play(make_database(server), tmp_path, some, 2_000, MIXES[mix]), some)


@pytest.mark.slow
def test_readers_and_pgbench_notice_what_they_must_not_see(
    server: Warehouse, tmp_path: Path
) -> None:
    """The judges judged: a switch by hand, without a gate, is seen by somebody."""
    warehouse, load = make_database(server), Load()
    publish(warehouse, 0, ROWS)
    with watching(load, warehouse, tmp_path, ROWS):
        for number in range(1, 200):
            query(warehouse, f"update marts.orders set version = {number}; select 1")
            query(warehouse, f"update marts.customers set version = {number}; select 1")
    kinds = {line.partition(":")[0] for line in load.wrong}
    assert {"join", "two statements, read committed", "pgbench"} <= kinds
