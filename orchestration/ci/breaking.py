"""What the change takes from readers, column by column, and who reads it."""

from typing import TYPE_CHECKING

from orchestration.artifacts import read_artifact
from orchestration.ci.findings import Breaking
from orchestration.compiled import kept_lineage
from orchestration.history.diff import Name
from orchestration.lineage.build import Lineage, build
from orchestration.lineage.changes import BREAKING, Change, compare
from orchestration.lineage.finding import label
from orchestration.lineage.graph import DOWN
from orchestration.lineage.newest import LINEAGE
from orchestration.publication.versions import LIVE
from orchestration.steps.lineage import known_sources

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.ci.job import Job

NOT_NULL = """
select attname::text from pg_attribute
join pg_class as c on c.oid = attrelid join pg_namespace as n on n.oid = c.relnamespace
where (nspname, relname) = (%s, %s) and attnum > 0 and attnotnull
"""
LOOSER = "may be null now"


def look(job: "Job") -> None:
    """Fill in what the code changes, and which of it breaks a promise.

    The lineage says it of all models, also why: what is renamed, what the contract declares. The
    tables say it of those that were built, and cannot err.
    """
    found: dict[str, Breaking] = {}
    if job.baseline.state:
        before, after = _lineages(job)
        changes = [each for each in compare(before, after) if not _is_unknown(each)]
        job.report.impact = [f"{each.label}: {each.said}" for each in changes]
        for each in changes:
            if each.published and each.kind in BREAKING:
                name = each.label
                found[name] = Breaking(name, each.said, _readers(before, each))
    made = {node["alias"] for node in job.manifest["nodes"].values() if node["schema"] == LIVE}
    for mart in sorted(job.baseline.marts.keys() - made):
        found.setdefault(f"{LIVE}.{mart}", Breaking(f"{LIVE}.{mart}", "is gone"))
    for mart, difference in job.report.marts.items():
        for column in difference.only_a:
            name = f"{LIVE}.{mart}.{column}"
            found.setdefault(name, Breaking(name, "is gone"))
        for column, (old, new) in difference.retyped.items():
            name = f"{LIVE}.{mart}.{column}"
            readers = found[name].readers if name in found else ()
            found[name] = Breaking(name, f"was {old}, is {new}", readers)
    job.report.breaking = [*found.values(), *_looser(job)]


def _lineages(job: "Job") -> tuple[Lineage, Lineage]:
    """Of the live version and of the working tree."""
    state, sources = job.folder.path / "state", known_sources(job.settings)
    before = kept_lineage(state, state / LINEAGE, sources)
    return before, build(job.manifest, read_artifact(state / "catalog.json"), sources)


def _is_unknown(change: Change) -> bool:
    """Endpoints that come and go: which of them a source asks is told by loads, not by the code."""
    return change.node.startswith("endpoint.") and change.column is None


def _readers(before: Lineage, change: Change) -> tuple[str, ...]:
    """The columns of marts and the exposures that are made of it."""
    nodes = before.graph.nodes
    reached = (
        label(nodes[edge.to_node], None if nodes[edge.to_node].kind == "exposure"
              else edge.to_column)
        for edge in before.graph.walk(change.node, change.column, DOWN)
        if nodes[edge.to_node].layer == "marts" or nodes[edge.to_node].kind == "exposure"
    )  # fmt: skip
    return tuple(dict.fromkeys(reached))


def _looser(job: "Job") -> list[Breaking]:
    found = []
    with job.session.cursor() as cursor:
        for mart in job.report.marts:
            before = _not_null(cursor, job.baseline.marts[mart][0])
            gone = set(job.report.marts[mart].only_a)
            now = _not_null(cursor, (job.schema, mart))
            found += [Breaking(f"{LIVE}.{mart}.{column}", LOOSER)
                      for column in sorted(before - now - gone)]  # fmt: skip
    return found


def _not_null(cursor: "cursor", relation: Name) -> set[str]:
    cursor.execute(NOT_NULL, relation)
    return {column for (column,) in cursor.fetchall()}
