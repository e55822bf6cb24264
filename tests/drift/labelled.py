"""Real series with labels, as river's wheel brings them, or from a file.

Tuned on JFK's passengers (monthly) and on simulated series of other seeds than the bench's;
reported on the water flow, which was looked at while the method took shape.
"""

import csv
import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.drift.detector import LEVEL, VOLUME
from tests.drift.series import FIRST, Series

# The first hour at which the flow leaves its usual band, in each of the three "low value moments"
# that the data set's description tells of; it gives no times, and none for its "small peak".
LOWS = [(94, 110), (211, 223), (872, 886)]
JFK = [(296, 302)]  # where annotators 6, 8 and 10 see the change of September 2001


def labelled() -> list[Series]:
    """Hours of water through a pipe, and months of passengers at an airport."""
    water = _rows("datasets/water-flow.csv")
    jfk = _rows("drift/datasets/airline_passengers.csv")
    return [
        Series(
            "water flow, hourly", LEVEL,
            [datetime.fromisoformat(row["Time"]).astimezone(UTC) for row in water],
            [float(row["Water flow [l/s]"]) for row in water],
            [(*where, "low") for where in LOWS],
        ),
        Series(
            "JFK passengers, monthly", VOLUME,
            [datetime.strptime(row["date"] + "+0000", "%Y-%b%z") for row in jfk],
            [float(row["Total Passengers"]) for row in jfk],
            [(*where, "drop") for where in JFK],
        ),
    ]  # fmt: skip


def from_file(path: Path, hours: int) -> Series:
    """A csv whose last two columns are the value and a label; one point every so many hours."""
    with path.open(newline="") as lines:
        rows = [list(row.values())[-2:] for row in csv.DictReader(lines)]
    marked = [n for n, (_, label) in enumerate(rows) if float(label)]
    firsts = [n for n in marked if n - 1 not in marked]
    times = [FIRST + timedelta(hours=hours * n) for n in range(len(rows))]
    incidents = [(n, n, "labelled") for n in firsts]
    return Series(path.name, LEVEL, times, [float(value) for value, _ in rows], incidents)


def _rows(name: str) -> list[dict[str, str]]:
    river = importlib.util.find_spec("river")
    if river is None or river.origin is None:
        raise SystemExit("river is not installed: make setup brings it with the other dev tools")
    with (Path(river.origin).parent / name).open(newline="") as lines:
        return list(csv.DictReader(lines))
