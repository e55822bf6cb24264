"""Our detector of drift beside the z-score that a wide-spread dbt package has by default.

    python -m tests.bench.drift [--seed 4] [--series FILE.csv --hours 24]

On a simulation of 240 series of 150 days with 180 incidents, and on real labelled series. How is
counted stands in tests/drift/scoring.py, what was tuned on in tests/drift/labelled.py.
"""

import argparse
import sys
from pathlib import Path

from tests.drift.labelled import from_file, labelled
from tests.drift.scoring import late_by, ours, score, z_score
from tests.drift.series import Series, simulate

GOAL = 0.85


def main() -> int:
    """Print the table; 1 when F1 on the simulation is below the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--series", type=Path, help="a csv: its last columns are value and label")
    parser.add_argument("--hours", type=int, default=24, help="between two points of that file")
    args = parser.parse_args()
    if args.series:
        return _print(args.series.name, [from_file(args.series, args.hours)]) < 0
    f1 = _print(f"simulation, seed {args.seed}", simulate(args.seed))
    for series in labelled():
        _print(series.name, [series])
    return f1 < GOAL


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


if __name__ == "__main__":
    sys.exit(main())
