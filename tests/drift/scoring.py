"""Detectors side by side: ours, and the z-score of a wide-spread dbt package, as it comes.

How is counted: an incident is found when one is opened at most LATE points after its beginning. A
false incident is any other that is opened, another one within the same incident included.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from orchestration.drift.detector import ANOMALY, Point, judge
from tests.drift.series import Series

LATE = 3
WINDOW, LEAST, SIGMAS = 14, 7, 3.0
Opens = Callable[[Series], list[int]]


@dataclass
class Score:
    """Counts over many series; `late` holds the points that each found incident took."""

    found: int = 0
    missed: int = 0
    false: int = 0
    late: list[int] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.found / max(self.found + self.false, 1)

    @property
    def recall(self) -> float:
        return self.found / max(self.found + self.missed, 1)

    @property
    def f1(self) -> float:
        return 2 * self.found / max(2 * self.found + self.false + self.missed, 1)


def ours(series: Series, sensitivity: float = 1.0) -> list[int]:
    """Where our detector opens an incident."""
    history: list[Point] = []
    for at, value in zip(series.times, series.values, strict=True):
        verdict = judge(history[-250:], at, value, series.kind, sensitivity)
        history.append(Point(at, value, verdict.state, verdict.expected))
    return [n for n, point in enumerate(history) if point.state == ANOMALY]


def z_score(series: Series) -> list[int]:
    """Beyond 3 standard deviations of the last 14 days, the tested one among them."""
    opened, before = [], False
    for n in range(len(series.values)):
        window = np.array(series.values[max(0, n - WINDOW + 1) : n + 1])
        spread = window.std(ddof=1) if len(window) >= LEAST else 0.0
        beyond = spread > 0 and abs(window[-1] - window.mean()) > SIGMAS * spread
        if beyond and not before:  # days on end are one incident
            opened.append(n)
        before = bool(beyond)
    return opened


def score(many: list[Series], opens: Opens) -> Score:
    """Count what a detector finds, misses and makes up."""
    total = Score()
    for series in many:
        opened = opens(series)
        for first, _, _ in series.incidents:
            hits = [n for n in opened if first <= n <= first + LATE]
            total.found += bool(hits)
            total.missed += not hits
            total.late += [hits[0] - first] if hits else []
            opened = [n for n in opened if n not in hits[:1]]
        total.false += len(opened)
    return total


def late_by(got: Score) -> str:
    """How many points after its beginning an incident is noticed: 0 is on the day itself."""
    return f"mean {np.mean(got.late):.2f}, most {max(got.late)}" if got.late else "-"
