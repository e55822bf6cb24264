"""Which kills come, and when: drawn from a seed, so that a failing sequence can be had again."""

from dataclasses import dataclass
from random import Random

RUN, CANCEL, API, SESSION, SERVER = "run", "cancel", "api", "session", "server"
MEANING = {
    RUN: "SIGKILL of the run",
    CANCEL: "SIGTERM of the run",
    API: "SIGKILL of the API",
    SESSION: "end of one session in Postgres",
    SERVER: "SIGKILL of Postgres",
}
WEIGHTS = {RUN: 12, CANCEL: 2, API: 2, SESSION: 3, SERVER: 4}
# Where to aim, how often, and between which parts of that phase's duration; "whole" is the whole
# run. The last part of "ingest" is where dlt writes; "publish" takes milliseconds.
AIMS = (
    ("whole", 35, 0.0, 1.0),
    ("start", 5, 0.2, 1.0),
    ("ingest", 30, 0.5, 1.02),
    ("build", 10, 0.0, 1.0),
    ("publish", 15, 0.0, 1.5),
    ("collect", 5, 0.0, 1.0),
)
API_AIMS = (("start", 1, 0.5, 1.0), ("ingest", 4, 0.3, 0.9))  # it matters to nothing later


@dataclass(frozen=True)
class Kill:
    """One kill: of what, aimed at which phase, after which part of that phase's duration."""

    kind: str
    phase: str
    part: float
    back_after: float | None  # seconds until the API is there again; None: only for the next run
    dice: int  # for what the moment alone can offer, such as the sessions to choose from


def draw(rng: Random, server_can_die: bool) -> Kill:
    """The next kill; each takes the same number of draws."""
    kinds = [kind for kind in WEIGHTS if server_can_die or kind != SERVER]
    kind = rng.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
    aims = API_AIMS if kind == API else AIMS
    phase, _, least, most = rng.choices(aims, [weight for _, weight, _, _ in aims])[0]
    part, stays_away, pause = rng.uniform(least, most), rng.random() < 0.5, rng.uniform(0, 2)
    return Kill(kind, phase, part, None if stays_away else pause, rng.getrandbits(32))


def draw_round(rng: Random, number: int, server_can_die: bool) -> list[Kill]:
    """The kills of a round; in half of the rounds the early phases come first.

    Once a run has got through its load, those after it on that day have nothing more to load.
    """
    drawn = [draw(rng, server_can_die) for _ in range(number)]
    order = [phase for phase, *_ in (AIMS[1], AIMS[2], AIMS[0], *AIMS[3:])]
    in_order = rng.random() < 0.5
    return sorted(drawn, key=lambda kill: order.index(kill.phase)) if in_order else drawn
