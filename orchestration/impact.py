"""`ecluse impact`: what the working tree changes, in words or as JSON."""

import json
from dataclasses import asdict
from typing import Any

import click

from orchestration.compiled import lineages
from orchestration.errors import BreakingChange
from orchestration.lineage.changes import BREAKING, Change, Reach, compare, reach
from orchestration.lineage.finding import label
from orchestration.lineage.graph import Node
from orchestration.settings import Settings


def show_impact(settings: Settings, base: str | None, as_json: bool, fail: bool) -> None:
    """Print what differs from the base and whom it reaches.

    Raises:
        BreakingChange: with `fail`, when a published column is gone or of another type.
        ConfigurationError, BuildBroke: a side cannot be had or does not compile.
    """
    against, before, after = lineages(settings, base)
    changes = compare(before, after)
    reached = reach(changes, before, after)
    nodes = {**before.graph.nodes, **after.graph.nodes}
    breaking = [each for each in changes if each.published and each.kind in BREAKING]
    if as_json:
        click.echo(json.dumps(_document(against, changes, breaking, reached, nodes), indent=1))
    else:
        click.echo("\n".join(_words(against, changes, reached, nodes)))
    if fail and breaking:
        raise BreakingChange(
            f"Readers would miss {', '.join(each.label for each in breaking)}: "
            "keep the column, or tell them first and leave out --fail-on-breaking."
        )


def _document(
    against: str,
    changes: list[Change],
    breaking: list[Change],
    reached: Reach,
    nodes: dict[str, Node],
) -> dict[str, Any]:
    touched = [*reached.columns, *reached.rows]
    return {
        "base": against,
        "changes": [asdict(each) for each in changes],
        "columns": {label(nodes[id_], None): names for id_, names in reached.columns.items()},
        "rows": [label(nodes[id_], None) for id_ in reached.rows],
        "owners": sorted({nodes[id_].owner for id_ in touched if nodes[id_].owner}),
        "exposures": sorted({nodes[id_].name for id_ in touched if nodes[id_].kind == "exposure"}),
        "breaking": [each.label for each in breaking],
    }


def _words(
    against: str, changes: list[Change], reached: Reach, nodes: dict[str, Node]
) -> list[str]:
    if not changes:
        return [f"Nothing differs from {against}: no column, no filter, no contract."]
    lines = [f"What differs from {against}:"]
    lines += [f"  {each.label}: {each.said}" for each in changes]
    if not reached.columns and not reached.rows:
        return [*lines, "", "It reaches no mart and no exposure."]
    for head, exposures in (("It reaches the marts", False), ("and the exposures", True)):
        touched = [nodes[id_] for id_ in dict.fromkeys([*reached.columns, *reached.rows])
                   if (nodes[id_].kind == "exposure") == exposures]  # fmt: skip
        lines += ["", head] if touched else []
        for node in touched:
            lines.append(f"  {label(node, None)}{f' ({node.owner})' if node.owner else ''}")
            if names := reached.columns.get(node.id):
                lines.append(f"    values: {', '.join(names)}")
            if node.id in reached.rows:
                lines.append("    rows: which there are, so any column may change")
    return lines
