"""`ecluse quality`: the scorecards, for those who own the data."""

import json
from collections import defaultdict
from typing import Any

import click

from orchestration.errors import ConfigurationError
from orchestration.incidents.hand import incidents, opened
from orchestration.incidents.project import newest_project
from orchestration.ops import rows_of
from orchestration.settings import Settings

RUNS = 30  # scores that are looked back at
SCORES = """
select mart, at, score, checks, tests_passed, tests_run, freshness, drifts, run_id
from (select *, row_number() over (partition by mart order by at desc) as age from ops.scores) as s
where age <= %s order by mart, at
"""
BARS = "▁▂▃▄▅▆▇█"


def print_quality(settings: Settings, mart: str | None, as_json: bool) -> None:
    """Print the scorecard of each mart, or all that is known of one.

    Raises:
        ConfigurationError: there is no such mart.
    """
    rows = _scorecards(settings)
    if mart:
        wanted = mart.removeprefix("marts.")
        names = ", ".join(row["mart"] for row in rows) or "none yet: `make run` tests them"
        rows = [row for row in rows if row["mart"] == wanted]
        if not rows:
            raise ConfigurationError(f"There is no score of a mart {wanted!r}. Marts: {names}.")
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=1))
    elif not rows:
        click.echo("No mart has a score yet: `make run` tests them.")
    else:
        _table(rows)
        for row in rows if mart else ():
            _one(row)


def _scorecards(settings: Settings) -> list[dict[str, Any]]:
    project = newest_project(settings)
    with opened(settings) as cursor:
        cursor.execute(SCORES, (RUNS,))
        past: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows_of(cursor):
            past[row["mart"]].append(row)
        standing = incidents(cursor)
    known = {project.mart_name(node): node for node in project.marts()}
    cards = []
    for mart, scores in past.items():
        if mart not in known:
            continue  # a mart of former days
        over = {known[mart], *project.upstream(known[mart])}
        cards.append(scores[-1] | {
            "owner": str(project.owner(known[mart]) or "") or None,
            "meaning": project.describe(known[mart]),
            "incidents": [{"id": each.id, "severity": each.severity, "title": each.title}
                          for each in standing if over & set(each.nodes)],
            "scores": [row["score"] for row in scores],
        })  # fmt: skip
    return cards


def _table(rows: list[dict[str, Any]]) -> None:
    wide = max(len(row["mart"]) for row in rows)
    owners = max(len(row["owner"] or "-") for row in rows)
    click.echo(f"{'mart':{wide}}  {'owner':{owners}}  {'fresh':6} {'tests':>9}  incidents  score")
    for row in rows:
        tests = f"{row['tests_passed']}/{row['tests_run']}"
        click.echo(
            f"{row['mart']:{wide}}  {row['owner'] or '-':{owners}}  {row['freshness'] or '-':6} "
            f"{tests:>9}  {len(row['incidents']):>9}  {row['score']:5.4g}  {spark(row['scores'])}"
        )


def _one(row: dict[str, Any]) -> None:
    click.echo(f"\n{row['meaning'] or 'no description'}")
    drifting = f", {row['drifts']} tables out of the ordinary" if row["drifts"] else ""
    click.echo(f"{row['checks']} checks by run {row['run_id']}{drifting}")
    for each in row["incidents"]:
        click.echo(f"  incident {each['id']} ({each['severity']}): {each['title']}")


def spark(scores: list[float]) -> str:
    """The scores as bars, oldest first; the lowest bar is 50 % or less."""
    return "".join(BARS[round(max(0.0, score - 50) / 50 * (len(BARS) - 1))] for score in scores)
