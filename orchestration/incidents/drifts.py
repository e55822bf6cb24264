"""Drifting tables as causes: what drifts upstream is the cause of what drifts downstream of it."""

from collections.abc import Iterable, Iterator, Mapping

from orchestration.drift.detector import ANOMALY
from orchestration.drift.tables import ALERT, BLOCK
from orchestration.drift.watch import Judged
from orchestration.incidents.causes import ERROR, NOTE, SEVERITIES, WARN, Cause, drifting
from orchestration.incidents.project import Project
from orchestration.records import RunRecord

SEVERITY = {ALERT: WARN, BLOCK: ERROR}
SHOWN = 3  # metrics of a table that are named
PREFIX = "drift:"


def drifts(record: RunRecord, project: Project, open_keys: Iterable[str]) -> Iterator[Cause]:
    """A cause for each table that drifts by itself; those downstream of it are struck by it.

    A table stays with the incident that is open on it or on what it is made of or goes into, so
    that the cause keeps its key when more tables come to drift.
    """
    rows: dict[str, list[Judged]] = {}
    for row in drifting(record, project):
        rows.setdefault(row["table_name"], []).append(Judged(**row))
    related = {table: _upstream(project, table) for table in rows}
    roots = {key.removeprefix(PREFIX) for key in open_keys if key.startswith(PREFIX)}
    heaps: dict[str, list[str]] = {}
    for table in sorted(rows, key=lambda each: (len(related[each] & rows.keys()), each)):
        heaps.setdefault(_root(project, table, related[table], roots, rows), []).append(table)
    for root, tables in heaps.items():
        yield _cause(record, project, root, tables, rows)


def _root(
    project: Project, table: str, upstream: set[str], roots: set[str], rows: Mapping[str, object]
) -> str:
    """The table that an incident is named after: an open one first, then the farthest upstream."""
    if table in roots:
        return table
    kin = [root for root in sorted(roots) if root in upstream or table in _upstream(project, root)]
    if kin:
        return kin[0]
    drifting = {each for each in upstream if each in rows}
    tops = sorted(each for each in drifting if not _upstream(project, each) & drifting)
    return tops[0] if tops else table


def _upstream(project: Project, table: str) -> set[str]:
    """The names of all that a table is made of; a child table of dlt's comes with its parent."""
    node = project.table(table)
    found = {project.label(each) for each in project.upstream(node)} if node else set()
    return found | {parent for name in (table, *found) if (parent := name.rpartition("__")[0])}


def _cause(
    record: RunRecord, project: Project, root: str, tables: list[str], rows: dict[str, list[Judged]]
) -> Cause:
    found = {table: _worst_first(rows[table]) for table in tables}
    first = root if root in found else tables[0]
    more = f" (and {len(tables) - 1} more tables)" if tables[1:] else ""
    severities = (SEVERITY.get(record.measured.get(table, ""), NOTE) for table in tables)
    nodes = [node for table in (first, *tables) if (node := project.table(table))]
    return Cause(
        f"{PREFIX}{root}", "drift", max(severities, key=SEVERITIES.index),
        f"{first} drifts: {found[first][0]}{more}",
        max(abs(each.score or 0.0) for each in found[first]), "", tuple(dict.fromkeys(nodes)),
        {"tables": {table: [str(row) for row in each[:SHOWN]] for table, each in found.items()}},
    )  # fmt: skip


def _worst_first(rows: list[Judged]) -> list[Judged]:
    return sorted(rows, key=lambda row: (row.state != ANOMALY, -abs(row.score or 0)))
