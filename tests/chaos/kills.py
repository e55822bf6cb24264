"""Which kills come, and when: drawn from a seed, so that a failing sequence can be had again."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

RUN, GROUP, CANCEL, API = "run", "group", "cancel", "api"
SESSION, SERVER, HALT = "session", "server", "halt"
MEANING = {
    RUN: "SIGKILL of the run",
    GROUP: "SIGKILL of the run and its children",
    CANCEL: "SIGTERM of the run",
    API: "SIGKILL of the API",
    SESSION: "end of one session in Postgres",
    SERVER: "SIGKILL of Postgres",
    HALT: "immediate stop of Postgres",
}
WEIGHTS = {RUN: 8, GROUP: 4, CANCEL: 2, API: 2, SESSION: 3, SERVER: 4, HALT: 2}
# Where to aim, how often, and between which parts of that phase's duration; "whole" is the whole
# run. The last part of "ingest" is where dlt writes; "publish" takes milliseconds.
AIMS = (
    ("whole", 40, 0.0, 1.05),
    ("start", 5, 0.2, 1.0),
    ("ingest", 25, 0.5, 1.02),
    ("build", 10, 0.0, 1.0),
    ("publish", 15, 0.0, 1.2),
    ("collect", 5, 0.0, 1.0),
)
API_AIMS = (("start", 1, 0.5, 1.0), ("ingest", 4, 0.3, 0.9))  # it matters to nothing later


@dataclass(frozen=True)
class Kill:
    """One kill: of what, aimed at which phase, after which part of that phase's duration."""

    kind: str
    phase: str
    part: float
    back_after: float | None  # seconds until it is there again; None: only for the next run
    dice: int  # for what the moment alone can offer, such as the sessions to choose from


def plan(seed: int, server_can_die: bool = True) -> Iterator[Kill]:
    """The kills of a seed, without end; one that comes too late counts for nothing."""
    rng = Random(seed)
    kinds = [kind for kind in WEIGHTS if server_can_die or kind not in {SERVER, HALT}]
    while True:
        kind = rng.choices(kinds, [WEIGHTS[each] for each in kinds])[0]
        aims = API_AIMS if kind == API else AIMS
        phase, _, least, most = rng.choices(aims, [weight for _, weight, _, _ in aims])[0]
        part, stays_away, pause = rng.uniform(least, most), rng.random() < 0.5, rng.uniform(0, 2)
        yield Kill(kind, phase, part, None if stays_away else pause, rng.getrandbits(32))
