"""The first page: the answer, and what it rests on."""

from dataclasses import dataclass

from orchestration.site.charts import Chart, Day, chart, strip
from orchestration.site.facts import Facts, Row
from orchestration.site.marts import Mart, marts
from orchestration.site.run_page import LoadedTable, count_tests, length, loaded_tables
from orchestration.site.sources import Age, ages
from orchestration.site.verdict import Verdict, concerning, judge, open_drifts

SPARK = (120.0, 28.0)


@dataclass(frozen=True)
class Health:
    """What the page shows."""

    verdict: Verdict
    last: Row  # the newest run that says something about the data
    last_seconds: float | None
    ages: list[Age]
    loaded: list[LoadedTable]
    loaded_by: str
    tests: dict[str, int]
    tested_by: str
    incidents: list[Row]
    drifts: list[Row]
    days: list[Day]
    good_days: tuple[int, int]  # days whose last run went well, of the days with a run
    marts: list[tuple[Mart, Chart | None]]


def health(facts: Facts) -> Health:
    """What the first page says now."""
    runs = concerning(facts)
    loaded, tested = facts.newest("loads"), facts.newest("tests")
    days = strip(runs, facts.now)
    active = [day for day in days if day.outcome != "none"]
    good = sum(day.outcome in {"published", "passed"} for day in active)
    last = runs[0] if runs else (facts.runs[0] if facts.runs else {})
    return Health(
        judge(facts), last, length(last) if last else None, ages(facts),
        loaded_tables(loaded), loaded.get("run_id", ""), count_tests(tested),
        tested.get("run_id", ""),
        [row for row in facts.incidents if row["state"] != "resolved"], open_drifts(facts),
        days, (good, len(active)),
        [(mart, chart(mart.volume, f"rows of {mart.name}", *SPARK)) for mart in marts(facts)],
    )  # fmt: skip
