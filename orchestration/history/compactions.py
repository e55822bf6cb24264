"""The register of compactions, and a plan for one in words."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from ingestion.compact import History
    from orchestration.steps.compact import Plan

ENTER = """
insert into ops.compactions (run_id, source, before_load, tables) values (%s, %s, %s, %s)
on conflict do nothing -- begun again after a passing fault
"""


def enter(
    session: "connection", run_id: str, history: "History", removed: Mapping[str, int]
) -> None:
    """Enter what a run removes from a source, before it is gone for good."""
    assert history.cut_off  # noqa: S101 - without one there is nothing to remove
    with session.cursor() as cursor:
        cursor.execute(
            ENTER, (run_id, history.source, history.cut_off.load_id, json.dumps(removed))
        )


def oldest_replayable(session: "connection") -> str | None:
    """The oldest load as of which raw is whole; None if nothing was ever removed from it."""
    with session.cursor() as cursor:
        cursor.execute("select max(before_load) from ops.compactions")
        return (cursor.fetchone() or (None,))[0]


def in_words(plan: "Plan") -> Iterator[str]:
    """What would go and what stays, table by table, and why it is not more."""
    for source in plan.sources:
        cut = source.cut_off
        since = (
            f"history from before load {cut.load_id} of {cut.at:%Y-%m-%d %H:%M} UTC" if cut else ""
        )
        yield f"{source.source}: {since or 'no load is old enough'}"
        for table, (gone, stay) in sorted(source.tables.items()):
            yield f"  {table:24} {gone:>12,} rows go {stay:>12,} stay"
        for table in source.left_alone:
            yield f"  {table:24} left alone: its history is read (meta: history: needed)"
    if plan.held_by:
        by = ", ".join(plan.held_by)
        yield f"more could go but for version {by}, which was built from an older load"
