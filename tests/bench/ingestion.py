"""Ingestion beside its limit and its neighbour, all in one go: prints ratios, judges nothing.

    python -m tests.bench.ingestion [--orders 1000000] [--sample 30000] [--bad-share 0.1]

Every side loads the same orders and their items, counted in both tables:
- `\\copy` of the same rows from CSV files by psql: what Postgres itself can take;
- dlt's own `rest_api` source with its defaults, on a sample, over the same HTTP API: once as it
  comes, which takes the API's own pages of 100 rows, and once with pages as large as ours;
- ours, over the same HTTP API, in a process of its own whose peak memory is printed; without the
  checks of the contract (types are cast, and that is all); and with so many rows broken.
The machine is noisy: read the ratios, not the seconds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingestion.demo_api.serve import running
from orchestration.embedded import EmbeddedServer, binary
from orchestration.environment import tool_environment
from orchestration.settings import load_settings
from orchestration.warehouse import Warehouse, parse_url

PAGE_SIZE = 10_000  # of ours, and of rest_api when it is given large pages
TABLES = ("orders", "orders__items")
SIDES = ("ours", "unchecked", "bad", "rest_api", "rest_api_large")
# Ways to break an order's JSON, as cheap as can be: the API's part of the work stays the same.
SPOILT = (
    (b'"subtotal":"', b'"subtotal":"-'),
    (b'"customer_id":', b'"client_id":'),
    (b'"tax_paid":"', b'"tax_paid":"none of '),
    (b'"store_id":"', b'"store_id":7,"x":"'),
)


def main() -> None:
    """Run all sides and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=30_000, help="orders for rest_api")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bad-share", type=float, default=0.1, help="of the rows are broken")
    parser.add_argument("--checks-only", action="store_true", help="leave the neighbours out")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        _side(args.side, args.bad_share)
        return
    for _ in range(args.rounds):
        if not args.checks_only:
            _compare(args.orders, args.sample)
        _price_of_checks(args.orders, args.bad_share)


def _price_of_checks(orders: int, bad_share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedServer(Path(folder) / "warehouse")
        embedded.start()
        try:
            warehouse = Warehouse(str(embedded.socket_dir), 5432, "postgres", "", "postgres")
            found = {
                side: _in_process(side, warehouse, orders, bad_share)
                for side in ("unchecked", "ours", "bad", "unchecked", "ours")  # the first is cold
            }
        finally:
            embedded.stop()
    for unit in ("seconds", "cpu"):  # the latter is deaf to a noisy machine, and to Postgres
        good, bare, bad = (found[side][unit] for side in ("ours", "unchecked", "bad"))
        print(f"{unit}: {orders:,} good orders: {good / bare - 1:.0%} longer as they are checked "
              f"(goal: 20 %), {bad / good:.1f} x as long with {bad_share:.0%} broken (goal: 2)",
              flush=True)  # fmt: skip


def _compare(orders: int, sample: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedServer(Path(folder) / "warehouse")
        embedded.start()
        try:
            warehouse = Warehouse(str(embedded.socket_dir), 5432, "postgres", "", "postgres")
            small = _in_process("ours", warehouse, orders // 4)
            ours = _in_process("ours", warehouse, orders)
            _show("ours", ours)
            copy = _copy(warehouse, Path(folder))
            _show("psql \\copy", copy)
            defaults = _in_process("rest_api", warehouse, sample)
            _show("rest_api, its defaults", defaults)
            large = _in_process("rest_api_large", warehouse, sample)
            _show("rest_api, large pages", large)
        finally:
            embedded.stop()
    print(
        f"\nours takes     {ours['seconds'] / copy['seconds']:5.1f} x the time of \\copy (goal: 4)"
    )
    print(f"rest_api takes {_times(defaults, ours):5.1f} x our time for a row (goal: 15)")
    print(f"             ( {_times(large, ours):5.1f} x with pages as large as ours)")
    print(f"peak memory: {small['mb']:.0f} MB for {orders // 4:,} orders, "
          f"{ours['mb']:.0f} MB for {orders:,} (goal: 600)")  # fmt: skip


def _times(side: dict[str, float], ours: dict[str, float]) -> float:
    return (side["seconds"] / side["rows"]) / (ours["seconds"] / ours["rows"])


def _show(name: str, side: dict[str, float]) -> None:
    rate = side["rows"] / side["seconds"]
    print(f"{name:22} {side['rows']:>11,.0f} rows {side['seconds']:7.1f} s {rate:>10,.0f} rows/s",
          flush=True)  # fmt: skip


def _in_process(
    side: str, warehouse: Warehouse, orders: int, bad_share: float = 0.0
) -> dict[str, float]:
    """One side in a fresh process and an empty warehouse, so that nothing is warm or left over."""
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute("drop schema if exists raw_jaffle_shop, raw_jaffle_shop_loading cascade")
    with running(orders=orders) as url, tempfile.TemporaryDirectory() as home:
        settings = load_settings({"ECLUSE_WAREHOUSE_URL": warehouse.url()})
        environ = os.environ | tool_environment(settings, warehouse)
        environ |= {"DLT_DATA_DIR": home, "BENCH_API": url, "BENCH_WAREHOUSE": warehouse.url()}
        environ["SOURCES__JAFFLE_SHOP__PAGE_SIZE"] = str(PAGE_SIZE)
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.ingestion", "--side", side,
             f"--bad-share={bad_share}"],
            env=environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _side(side: str, bad_share: float) -> None:
    url, credentials = os.environ["BENCH_API"], os.environ["BENCH_WAREHOUSE"]
    started = time.monotonic()
    if side in {"ours", "unchecked", "bad"}:
        if side == "unchecked":
            _leave_checks_out()
        elif side == "bad":
            _break_rows(bad_share)
        _ours(url, credentials)
    else:
        _rest_api(url, credentials, {"page_size": PAGE_SIZE} if side == "rest_api_large" else {})
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"rows": _rows(parse_url(credentials)), "seconds": seconds}
    print(json.dumps(found | {"mb": used.ru_maxrss / 1024, "cpu": used.ru_utime + used.ru_stime}))


def _ours(url: str, credentials: str) -> None:
    from ingestion.intake import Window
    from ingestion.load import load

    work = Path(os.environ["DLT_DATA_DIR"]) / "ours"
    # an open window: orders and their items only, as on the other sides
    load("jaffle_shop", credentials, work, base_url=url, window=Window())


def _leave_checks_out() -> None:
    import ingestion.decode

    ingestion.decode.typed = lambda values, column: values.cast(column.arrow_type())


def _break_rows(share: float) -> None:
    """The API's rows, so many of them broken in one of four ways; no limit stops the load."""
    import msgspec

    import ingestion.sources.jaffle_shop as source
    from ingestion.contract import Limit
    from ingestion.pages import Page, PageClient

    every, whole_pages = round(1 / share), PageClient.pages
    source.ORDERS = replace(source.ORDERS, stop=Limit(10**9, 1))

    def pages(self: PageClient, *args: Any) -> Iterator[Page]:
        for page in whole_pages(self, *args):
            for place in range(0, len(page.rows), every):
                good, bad = SPOILT[place // every % len(SPOILT)]
                raw = bytes(page.rows[place])
                page.rows[place] = msgspec.Raw(raw.replace(good, bad, 1))
                assert raw != bytes(page.rows[place])
            yield page

    PageClient.pages = pages  # type: ignore[method-assign]


def _rest_api(url: str, credentials: str, params: dict[str, int]) -> None:
    import dlt
    from dlt.sources.rest_api import rest_api_source

    endpoint = {"path": "orders", "params": params, "paginator": "header_link"}
    source = rest_api_source(
        {
            "client": {"base_url": url},
            "resources": [{"name": "orders", "endpoint": endpoint}],
        },
        name="jaffle_shop",
    )
    # the project's own settings in .dlt/config.toml are not dlt's defaults
    os.environ.update(DLT_PROJECT_DIR=os.environ["DLT_DATA_DIR"], RUNTIME__DLTHUB_TELEMETRY="false")
    pipeline = dlt.pipeline(
        "rest_api",
        pipelines_dir=os.environ["DLT_DATA_DIR"],
        destination=dlt.destinations.postgres(credentials),
        dataset_name="raw_jaffle_shop",
    )
    pipeline.run(source)


def _copy(warehouse: Warehouse, folder: Path) -> dict[str, float]:
    """`\\copy` what ours has just loaded, from CSV files into tables of the same columns."""
    environ = os.environ | warehouse.environment()
    psql = [binary("psql"), "-q", "-v", "ON_ERROR_STOP=1"]
    for table in TABLES:
        out = f"\\copy raw_jaffle_shop.{table} to '{folder / table}.csv' csv"
        make = f"create table public.{table} (like raw_jaffle_shop.{table})"
        subprocess.run([*psql, "-c", out, "-c", make], env=environ, check=True)
    started = time.monotonic()
    for table in TABLES:
        subprocess.run([*psql, "-c", f"\\copy public.{table} from '{folder / table}.csv' csv"],
                       env=environ, check=True)  # fmt: skip
    seconds = time.monotonic() - started
    return {"rows": _rows(warehouse, "public"), "seconds": seconds, "mb": 0}


def _rows(warehouse: Warehouse, schema: str = "raw_jaffle_shop") -> float:
    with warehouse.session() as session, session.cursor() as cursor:
        total = 0
        for table in TABLES:
            cursor.execute(f"select count(*) from {schema}.{table}")
            total += (cursor.fetchone() or (0,))[0]
    return total


if __name__ == "__main__":
    main()
