"""The story: one day of the shop after another, runs that are struck, at times one that is not.

Whatever the struck project has loaded, a second one on a server of its own loads too, undisturbed,
on the same day: so both must end with the same rows.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import gt
from pathlib import Path
from random import Random

import psycopg2

from orchestration.errors import EcluseError
from tests.chaos import kills
from tests.chaos.compared import unfinished, whole_loads
from tests.chaos.kills import Kill
from tests.chaos.readers import Reader
from tests.chaos.servers import Embedded, make_server
from tests.chaos.shop import Shop
from tests.chaos.verdict import (
    judge_records,
    judge_struck,
    judge_versions,
    judge_warehouse,
    judge_whole,
)
from tests.chaos.watched import Hangs, WatchedRun
from tests.newcomer import copy_project, own_desk

FIRST_DAY = 40
KILLS_A_ROUND = 10
MOST_MISSES = 20  # in a row: a run that is always over before the kill comes
DEEDS = ("found dead and is marked as aborted", "found dead after it had published",
         "server was found dead", "sessions that a dead run had left", "dropped the package",
         "rows that a dead load had left", "had built and not published", "begun again after",
         "faults of the API")  # fmt: skip
# the API may vanish for good: a run need not wait for it as long as in real life
VARIABLES = {"RUNTIME__REQUEST_BACKOFF_FACTOR": "0.2", "ECLUSE_PUBLISH_TIMEOUT_SECONDS": "30"}


@dataclass
class Outcome:
    """What a whole chaos came to."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)  # what runs said that they put right
    missed: int = 0
    runs: int = 0
    days: int = 0
    lost: int = 0
    doubled: int = 0
    reads: int = 0
    versions: int = 0  # that a reader saw
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> str:
        """The last words, with the seed to have it all again."""
        kinds = ", ".join(f"{count} {kills.MEANING[kind]}" for kind, count in self.kills.items())
        deeds = ", ".join(f"{count} x {deed}" for deed, count in self.deeds.items())
        return (
            f"seed {self.seed}: {kinds}; {self.missed} came too late\n"
            f"put right: {deeds or 'nothing'}\n"
            f"{self.runs} runs over {self.days} days of the shop in {self.seconds:.0f} s; "
            f"a reader read all marts {self.reads:,} times and saw {self.versions} states\n"
            f"{self.kills.total()} kills: {self.lost} lost, {self.doubled} doubled, "
            f"{len(self.wrong)} needing a human"
        )

    def hear(self, notes: list[str]) -> None:
        """Count what a run said in its notes."""
        for note in notes:
            self.deeds.update(deed for deed in DEEDS if deed in note)


class Chaos:
    """Two clones of the project on the same shop: one that is struck, one that is never."""

    def __init__(self, folder: Path, seed: int, kind: str, tell: Callable[[str], None]) -> None:
        """Make the clones; `kind` is that of the server that is struck."""
        self._tell = tell
        self._struck, self._calm = copy_project(folder / "struck"), copy_project(folder / "calm")
        self._server = make_server(kind, self._struck, f"ecluse_chaos_{seed}_{time.time_ns()}")
        self._undisturbed = Embedded(self._calm)
        self._plan = kills.plan(seed, self._server.can_die)
        self._shop = Shop(folder, FIRST_DAY)
        self._lasts: dict[str, float] = {}
        self._killed: set[str] = set()
        self._run: WatchedRun | None = None
        self._wanted = 0
        self.outcome = Outcome(seed)

    def play(self, number: int) -> Outcome:
        """Strike so many times, and judge after every ten."""
        began, self._wanted = time.monotonic(), number
        reader = None
        try:
            self._shop.open()
            self._stay_calm()
            reader = Reader(self._server.warehouse)
            while self.outcome.kills.total() < number and not self.outcome.wrong:
                self._round(min(KILLS_A_ROUND, number - self.outcome.kills.total()), reader)
        except Hangs as hangs:
            self.outcome.wrong.append(str(hangs))
        finally:
            self.outcome.seconds = time.monotonic() - began
            if self._run and self._run.lives:  # we were interrupted
                self._run.kill(children_too=True)
            if reader:
                reader.stop()
                self.outcome.reads, self.outcome.versions = reader.reads, len(reader.seen)
            self._shop.vanish()
            self._server.stop()
            self._undisturbed.stop()
        return self.outcome

    def _round(self, number: int, reader: Reader) -> None:
        until, misses = self.outcome.kills.total() + number, 0
        while self.outcome.kills.total() < until and not self.outcome.wrong:
            misses = 0 if self._strike(next(self._plan)) else misses + 1
            assert misses < MOST_MISSES, "runs end before any kill reaches them"
            self._turn_the_day()
        self._leave_alone(reader)

    def _stay_calm(self) -> None:
        run = self._start(self._calm, {})
        self.outcome.wrong += judge_whole(run, run.end())
        self._lasts |= run.durations()

    def _turn_the_day(self) -> None:
        """The next day comes; what was loaded of this one is loaded by the undisturbed, too."""
        try:
            struck = whole_loads(self._server.warehouse)
            calm = whole_loads(self._undisturbed.warehouse)
        except (EcluseError, psycopg2.OperationalError):
            return  # nobody can look before the next run has brought the server back
        if any(map(gt, struck, calm)):
            self._shop.open()
            run = self._start(self._calm, {}, "ingest")
            code = run.end()
            self.outcome.wrong += [f"undisturbed: {run.said()}"] if code else []
        # the next day would hide it if one of the sources were never loaded on this one
        if struck == whole_loads(self._undisturbed.warehouse):
            self._shop.next_day()
            self.outcome.days += 1

    def _strike(self, kill: Kill) -> bool:
        self._shop.open()
        run = self._start(self._struck, self._server.variables())
        after = kill.part * self._lasts[kill.phase]
        hit = run.reach(kill.phase, after) and self._hit(run, kill)
        phase = run.phase
        if hit and kill.back_after is not None:
            time.sleep(kill.back_after)
            self._shop.open()
            self._server.mend()
        code = run.end()
        self._server.mend()
        if not hit or kill.kind in {kills.RUN, kills.GROUP, kills.CANCEL}:
            self._lasts |= run.durations()  # not of a run that waited for what was killed
        self._note(run, kill, code, f"{kill.phase} +{after:.2f} s", phase if hit else None)
        if not hit:
            self.outcome.missed += 1
            self.outcome.wrong += judge_whole(run, code)
            return False
        self.outcome.kills[kill.kind] += 1
        self.outcome.wrong += judge_struck(run, kill.kind, phase, code)
        return True

    def _hit(self, run: WatchedRun, kill: Kill) -> bool:
        if kill.kind in {kills.RUN, kills.GROUP}:
            if run.kill(children_too=kill.kind == kills.GROUP):
                self._killed.add(run.run_id)
            return True
        if kill.kind == kills.CANCEL:
            run.process.terminate()
            return True
        if kill.kind == kills.API:
            return self._shop.vanish()
        if kill.kind in {kills.SERVER, kills.HALT}:
            signum = signal.SIGKILL if kill.kind == kills.SERVER else signal.SIGQUIT
            return self._server.kill(signum)
        return self._server.kill_session(Random(kill.dice))

    def _leave_alone(self, reader: Reader) -> None:
        """A run that nobody strikes must put everything right, on both sides."""
        self._shop.open()
        left = self._leftovers()
        run = self._start(self._struck, self._server.variables())
        code = run.end()
        self._tell(f"     left alone: {run.run_id} -> {code}{self._put_right(run)}")
        self.outcome.wrong += judge_whole(run, code)
        if self.outcome.wrong:
            return
        notes = run.record()["notes"]
        if left and not any("dead load" in note for note in notes):
            self.outcome.wrong.append(f"{run.run_id} did not say that it removed {left}")
        self._stay_calm()
        found, calm = self._server.warehouse, self._undisturbed.warehouse
        differences, wrong = judge_warehouse(found, calm, self._shop.url)
        self.outcome.lost += sum(each.lost for each in differences)
        self.outcome.doubled += sum(each.doubled for each in differences)
        self.outcome.wrong += [*map(str, differences), *wrong, *reader.judge()]
        self.outcome.wrong += judge_records(self._struck, found, self._killed)
        self.outcome.wrong += judge_versions(self._struck, found)
        self._turn_the_day()

    def _leftovers(self) -> dict[str, int]:
        try:
            return unfinished(self._server.warehouse)
        except (EcluseError, psycopg2.OperationalError):
            return {}  # nobody can look before the run has brought the server back

    def _start(self, clone: Path, variables: dict[str, str], verb: str = "run") -> WatchedRun:
        self.outcome.runs += 1
        shop = {"SOURCES__JAFFLE_SHOP__BASE_URL": self._shop.url, **own_desk(self._shop.url)}
        name = f"{clone.name}-{self.outcome.runs:04d}"
        self._run = WatchedRun(clone, name, VARIABLES | shop | variables, verb)
        return self._run

    def _put_right(self, run: WatchedRun) -> str:
        notes = run.record().get("notes", [])
        self.outcome.hear(notes)
        return "".join(f"\n          put right: {note}" for note in notes)

    def _note(self, run: WatchedRun, kill: Kill, code: int, aim: str, phase: str | None) -> None:
        number = f"{self.outcome.kills.total() + 1}/{self._wanted}" if phase else "-"
        where = f"in {phase} (aimed at {aim})" if phase else f"too late, aimed at {aim}"
        said = f": {run.last_word()}" if run.last_word() else ""
        what = f"{number:>7} {kills.MEANING[kill.kind]} {where}; {run.run_id} -> {code}{said}"
        self._tell(what + self._put_right(run))
