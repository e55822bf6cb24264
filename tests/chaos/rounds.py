"""The story: each round is a day of the shop, with runs that are struck and one left alone."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from orchestration.errors import EcluseError
from tests.chaos import kills
from tests.chaos.compared import Rows, mart_rows, unfinished
from tests.chaos.kills import Kill
from tests.chaos.servers import Embedded, make_server
from tests.chaos.shop import Shop
from tests.chaos.verdict import judge_records, judge_struck, judge_warehouse, judge_whole
from tests.chaos.watched import WatchedRun
from tests.newcomer import copy_project

FIRST_DAY = 40
KILLS_A_ROUND = 10
MOST_MISSES = 20  # in a row: a run that is always over before the kill comes
DEEDS = ("found dead and is marked as aborted", "found dead after it had published",
         "server was found dead", "sessions that a dead run had left", "pending package",
         "rows that a dead load had left")  # fmt: skip
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
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> str:
        """The last words, with the seed to have it all again."""
        kinds = ", ".join(f"{count} {kills.MEANING[kind]}" for kind, count in self.kills.items())
        deeds = ", ".join(f"{count} x {deed}" for deed, count in self.deeds.items())
        return (
            f"seed {self.seed}: {self.kills.total()} kills in {self.runs} runs: {kinds} "
            f"({self.missed} came too late)\nput right: {deeds or 'nothing'}\n"
            f"{self.seconds:.0f} s, {len(self.wrong)} wrong"
        )

    def hear(self, notes: list[str]) -> None:
        """Count what a run said in its notes."""
        for note in notes:
            self.deeds.update(deed for deed in DEEDS if deed in note)


class Chaos:
    """Two clones of the project on the same shop: one that is struck, one that is never."""

    def __init__(self, folder: Path, seed: int, kind: str, tell: Callable[[str], None]) -> None:
        """Make the clones; `kind` is that of the server that is struck."""
        self._rng, self._tell = Random(seed), tell
        self._struck, self._calm = copy_project(folder / "struck"), copy_project(folder / "calm")
        self._server = make_server(kind, self._struck, f"ecluse_chaos_{seed}_{time.time_ns()}")
        self._undisturbed = Embedded(self._calm)
        self._shop = Shop(FIRST_DAY)
        self._lasts: dict[str, float] = {}
        self._killed: set[str] = set()
        self._served: list[dict[str, Rows]] = [{}]  # the versions a reader may see now
        self.outcome = Outcome(seed)

    def play(self, number: int) -> Outcome:
        """Strike so many times, and judge after each round."""
        began = time.monotonic()
        try:
            while self.outcome.kills.total() < number and not self.outcome.wrong:
                self._round(min(KILLS_A_ROUND, number - self.outcome.kills.total()))
        finally:
            self.outcome.seconds = time.monotonic() - began
            self._shop.vanish()
            self._server.stop()
            self._undisturbed.stop()
        return self.outcome

    def _round(self, number: int) -> None:
        self._shop.next_day()
        self._stay_calm()
        wanted, misses = self.outcome.kills.total() + number, 0
        while missing := wanted - self.outcome.kills.total():
            for kill in kills.draw_round(self._rng, missing, self._server.can_die):
                misses = 0 if self._strike(kill) else misses + 1
                assert misses < MOST_MISSES, "runs end before any kill reaches them"
        self._leave_alone()

    def _stay_calm(self) -> None:
        run = self._start(self._calm, {})
        self.outcome.wrong += judge_whole(run, run.end())
        self._lasts = run.durations()
        self._served = [self._served[-1], mart_rows(self._undisturbed.warehouse)]

    def _strike(self, kill: Kill) -> bool:
        self._shop.open()
        run = self._start(self._struck, self._server.variables())
        after = kill.part * self._lasts[kill.phase]
        hit = run.reach(kill.phase, after) and self._hit(run, kill)
        phase = run.phase
        if hit and kill.kind == kills.API and kill.back_after is not None:
            time.sleep(kill.back_after)
            self._shop.open()
        code = run.end()
        self._server.mend()
        self.outcome.hear(run.record().get("notes", []))
        self._note(run, kill, code, f"{kill.phase} +{after:.2f} s", phase if hit else None)
        if not hit:
            self.outcome.missed += 1
            self.outcome.wrong += judge_whole(run, code)
            return False
        self.outcome.kills[kill.kind] += 1
        self.outcome.wrong += judge_struck(run, kill.kind, phase, code) + self._look(run)
        return True

    def _hit(self, run: WatchedRun, kill: Kill) -> bool:
        if kill.kind == kills.RUN:
            run.process.kill()
            if run.process.wait() < 0:
                self._killed.add(run.run_id)
            return True
        if kill.kind == kills.CANCEL:
            run.process.terminate()
            return True
        if kill.kind == kills.API:
            return self._shop.vanish()
        if kill.kind == kills.SERVER:
            return self._server.kill()
        return self._server.kill_session(Random(kill.dice))

    def _look(self, run: WatchedRun) -> list[str]:
        """Readers, while nothing has been mended: yesterday's marts or today's, whole."""
        try:
            seen = mart_rows(self._server.warehouse)
        except EcluseError:
            return []  # the server is dead: nobody reads
        return [] if seen in self._served else [f"after {run.run_id} the marts are half new"]

    def _leave_alone(self) -> None:
        self._shop.open()
        left = self._leftovers()
        run = self._start(self._struck, self._server.variables())
        code = run.end()
        notes = run.record().get("notes", [])
        self.outcome.hear(notes)
        self._tell(f"     {run.run_id} left alone: {code}; {'; '.join(notes) or 'no notes'}")
        self.outcome.wrong += judge_whole(run, code)
        if self.outcome.wrong:
            return
        if left and not any("dead load" in note for note in notes):
            self.outcome.wrong.append(f"{run.run_id} did not say that it removed {left}")
        found = self._server.warehouse
        self.outcome.wrong += judge_warehouse(found, self._undisturbed.warehouse, self._shop.url)
        self.outcome.wrong += judge_records(self._struck, found, self._killed)

    def _leftovers(self) -> dict[str, int]:
        try:
            return unfinished(self._server.warehouse)
        except EcluseError:
            return {}  # nobody can look before the run has brought the server back

    def _start(self, clone: Path, variables: dict[str, str]) -> WatchedRun:
        self.outcome.runs += 1
        shop = {"SOURCES__JAFFLE_SHOP__BASE_URL": self._shop.url}
        name = f"{clone.name}-{self.outcome.runs:04d}"
        return WatchedRun(clone, name, VARIABLES | shop | variables)

    def _note(self, run: WatchedRun, kill: Kill, code: int, aim: str, phase: str | None) -> None:
        number = f"{self.outcome.kills.total() + 1:4d}" if phase else "   -"
        where = f"aimed at {aim}, {'hit in ' + phase if phase else 'too late'}"
        said = f": {run.last_word()}" if run.last_word() else ""
        self._tell(f"{number} {kills.MEANING[kill.kind]}, {where}; {run.run_id} -> {code}{said}")
