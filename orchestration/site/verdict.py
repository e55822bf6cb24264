"""Can I trust today's numbers? One answer, and every reason that speaks against a plain yes."""

from dataclasses import dataclass
from datetime import datetime

from orchestration.records import PASSED, PUBLISHED
from orchestration.site.facts import Facts, Row
from orchestration.site.sources import Age, ages
from orchestration.site.words import BAD, GOOD, WARN, day_time, moment, plural

YES, CARE, NO = "yes", "care", "no"
SHOWN = 3  # of the things of one kind that speak against a plain yes
OPEN_STATES = ("anomaly", "continuing")
# Outcomes that say something about the data; a run that was locked out or cancelled says nothing.
ENDED_WELL, ENDED_BADLY = {PUBLISHED, PASSED}, {"rejected", "broken", "aborted"}
MOVES_DATA = {"run", "deploy", "publish", "rollback", "ingest", "quarantine"}


@dataclass(frozen=True)
class Verdict:
    """The answer. `since` is when it came to be so, where that is known."""

    answer: str
    sentence: str
    reasons: tuple[str, ...]
    since: datetime | None

    @property
    def word(self) -> str:
        """What a person says."""
        return {YES: "Yes", CARE: "With care", NO: "No"}[self.answer]

    @property
    def tone(self) -> str:
        """The tone of the answer."""
        return {YES: GOOD, CARE: WARN, NO: BAD}[self.answer]


def judge(facts: Facts) -> Verdict:
    """The answer of a page that is written now."""
    live = facts.live
    if live is None:
        return Verdict(NO, "Nothing has been published yet, so there are no numbers.", (), None)
    found = [*_of_sources(ages(facts)), *_of_runs(facts), *_of_incidents(facts), *_of_tests(facts)]
    since = [when for _, _, when in found if when]
    reasons = tuple(said for _, said, _ in found)
    served = f"Readers have version {live.number}, published {day_time(live.published_at)}"
    if any(answer == NO for answer, _, _ in found):
        return Verdict(NO, f"{served}, and that is not enough.", reasons, min(since, default=None))
    if found:
        return Verdict(CARE, f"{served}. It passed its tests.", reasons, min(since, default=None))
    return Verdict(
        YES, "The last run passed every test, every source is fresh, and nothing is open.", (),
        _good_since(facts),
    )  # fmt: skip


Reason = tuple[str, str, datetime | None]


def open_drifts(facts: Facts) -> list[Row]:
    """The metrics whose newest point is out of the ordinary, worst state first."""
    newest: dict[tuple[str, str, str], Row] = {}
    for row in facts.metrics:  # oldest first
        newest[row["table_name"], row["column_name"], row["metric"]] = row
    return [row for row in newest.values() if row["state"] in OPEN_STATES]


def concerning(facts: Facts) -> list[Row]:
    """The listed runs that say something about the data, newest first."""
    outcomes = ENDED_WELL | ENDED_BADLY
    return [run for run in facts.listed if run["kind"] in MOVES_DATA and run["status"] in outcomes]


def _of_sources(found: list[Age]) -> list[Reason]:
    late = [age for age in found if age.tone in {WARN, BAD}]
    if not late:
        return []
    names = ", ".join(age.name for age in late[:SHOWN]) + (" and others" if late[SHOWN:] else "")
    oldest = min((age.newest for age in late if age.newest), default=None)
    answer = NO if any(age.tone == BAD for age in late) else CARE
    return [(answer, f"{plural(len(late), 'source table')} older than the limit: {names}.", oldest)]


def _of_runs(facts: Facts) -> list[Reason]:
    runs = concerning(facts)
    bad = runs[: _streak(runs, ENDED_BADLY)]
    found: list[Reason] = []
    if bad:
        what = "found bad data" if bad[0]["status"] == "rejected" else "did not get through"
        times = f", as did {plural(len(bad) - 1, 'run')} before it" if bad[1:] else ""
        why = (bad[0]["reason"] or "").partition(". ")[0]
        said = f"The last run {what}{times}, so nothing newer was published. {why}."
        found.append((CARE, said, moment(bad[-1]["started_at"])))
    if facts.switched and facts.switched.kind == "rollback":
        held = " and is held there" if facts.switched.held else ""
        said = f"The marts were rolled back to version {facts.switched.version}{held}."
        found.append((CARE, said, facts.switched.at))
    return found


def _of_incidents(facts: Facts) -> list[Reason]:
    """Open incidents; where no incidents are kept, the drifts that are open."""
    open_ones = [row for row in facts.incidents if row["state"] in {"open", "acknowledged"}]
    loud = [row for row in open_ones if row["severity"] != "note"]
    found: list[Reason] = [
        (CARE, f"{row['title']} ({row['state']}).", moment(row["opened_at"])) for row in loud
    ]
    if len(found) > SHOWN:
        when = min(opened for _, _, opened in found if opened)
        found = [*found[:SHOWN], (CARE, f"{len(found) - SHOWN} more incidents are open.", when)]
    if found:
        return found
    drifts = open_drifts(facts)
    if facts.incidents or not drifts:
        return []
    tables = sorted({row["table_name"] for row in drifts})
    said = f"{plural(len(drifts), 'metric')} out of the ordinary in {', '.join(tables)}."
    return [(CARE, said, min(row["at"] for row in drifts))]


def _of_tests(facts: Facts) -> list[Reason]:
    tests = facts.newest("tests").get("tests", [])
    warned = [test for test in tests if test["status"] == "warn"]
    names = ", ".join(test["name"] for test in warned[:SHOWN])
    return [(CARE, f"{plural(len(warned), 'test')} warned: {names}.", None)] if warned else []


def _good_since(facts: Facts) -> datetime | None:
    runs = concerning(facts)
    streak = _streak(runs, ENDED_WELL)
    return moment(runs[streak - 1]["finished_at"]) if streak else None


def _streak(runs: list[Row], outcomes: set[str]) -> int:
    """How many of the newest runs ended so."""
    for number, run in enumerate(runs):
        if run["status"] not in outcomes:
            return number
    return len(runs)
