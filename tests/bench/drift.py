"""Our detector of drift beside the z-score that a wide-spread dbt package has by default.

    python -m tests.bench.drift [--seed 4] [--orders 60000] [--series FILE.csv --hours 24]

On a simulation of 240 series of 150 days with 180 incidents, and on real labelled series. How is
counted stands in tests/drift/scoring.py, what was tuned on in tests/drift/labelled.py.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from orchestration.console import Console
from orchestration.drift.watch import watch
from orchestration.embedded import EmbeddedServer
from orchestration.run import Run, recorded_run
from orchestration.steps import whole_run
from orchestration.warehouse import Warehouse
from orchestration.workflow import execute
from tests.drift.labelled import from_file, labelled
from tests.drift.scoring import late_by, ours, score, z_score
from tests.drift.series import Series, simulate
from tests.newcomer import copy_project, settings_for

GOAL, MOST_COST = 0.85, 0.15


def main() -> int:
    """Print the table; not 0 when F1 on the simulation or the cost misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--orders", type=int, default=60_000, help="of the shop for the cost")
    parser.add_argument("--series", type=Path, help="a csv: its last columns are value and label")
    parser.add_argument("--hours", type=int, default=24, help="between two points of that file")
    args = parser.parse_args()
    if args.series:
        return _print(args.series.name, [from_file(args.series, args.hours)]) < 0
    f1 = _print(f"simulation, seed {args.seed}", simulate(args.seed))
    for series in labelled():
        _print(series.name, [series])
    return (f1 < GOAL) + (_cost(args.orders) > MOST_COST)


def _print(name: str, many: list[Series]) -> float:
    print(f"\n{name}: {sum(len(series.incidents) for series in many)} incidents, "
          f"{sum(len(series.values) for series in many):,} points")  # fmt: skip
    print(f"  {'':8} precision  recall    F1  found  missed  false  points until noticed")
    f1 = 0.0
    for label, opens in (("z-score", z_score), ("ours", ours)):
        got = score(many, opens)
        f1 = got.f1
        print(f"  {label:8} {got.precision:9.2f} {got.recall:7.2f} {f1:5.2f} {got.found:6} "
              f"{got.missed:7} {got.false:6}  {late_by(got)}", flush=True)  # fmt: skip
    return f1


def _cost(orders: int) -> float:
    """The share of measuring and judging in the build step of a first run, the dearest there is."""
    took: list[float] = []

    def timed(run: Run, folder: Path) -> str:
        began = time.monotonic()
        said = watch(run, folder)
        took.append(time.monotonic() - began)
        return said

    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / "warehouse")
        server.start()
        try:
            warehouse = Warehouse(str(server.socket_dir), 5432, "postgres", "", "postgres")
            root = copy_project(Path(folder) / "shop")
            settings = settings_for(root, warehouse, ECLUSE_DEMO_ORDERS=str(orders))
            with (
                patch("orchestration.steps.build.watch", timed),
                recorded_run(settings, "run", Console(quiet=True)) as run,
            ):
                execute(whole_run(run)[:2], run.record, run.changed)
        finally:
            server.stop()
    build = run.record.steps[1]
    seconds = (build.finished_at - build.started_at).total_seconds()
    share = took[0] / seconds
    print(f"\ncost, a first run of {orders:,} orders: measured and judged in {took[0]:.2f} s, "
          f"{share:.0%} of a build of {seconds:.1f} s")  # fmt: skip
    return share


if __name__ == "__main__":
    sys.exit(main())
