"""Which models a pull request's job builds; pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from orchestration.artifacts import MARTS

Json = dict[str, Any]
BUILT = ("model", "seed", "snapshot")
TESTS = ("test", "unit_test")


def upstream(manifest: Json, selected: Collection[str], standing: Collection[str]) -> set[str]:
    """What the selected nodes read and readers do not have; mostly views.

    They are built again, for those of production read all of raw, and not what the live version was
    built from. Marts that stand are read where they are.

    Args:
        manifest: dbt's, of the working tree.
        selected: unique ids, tests among them.
        standing: the names of the marts of the live version.
    """
    nodes = {**manifest["nodes"], **manifest.get("unit_tests", {})}
    found: set[str] = set()
    waiting = list(selected)
    while waiting:
        for id_ in nodes.get(waiting.pop(), {}).get("depends_on", {}).get("nodes", ()):
            node = nodes.get(id_)
            if node is None or id_ in found or id_ in selected or node["resource_type"] in TESTS:
                continue
            if not (node["schema"] in MARTS and node["alias"] in standing):
                found.add(id_)
                waiting.append(id_)
    return found


def runnable(manifest: Json, tests: Collection[str], missing: Collection[str]) -> list[str]:
    """The tests that read nothing that is missing."""
    nodes = {**manifest["nodes"], **manifest.get("unit_tests", {})}
    gone = {
        id_ for id_ in of_kind(missing, BUILT)
        if nodes[id_].get("config", {}).get("materialized") != "ephemeral"  # never built by itself
    }  # fmt: skip
    return [id_ for id_ in tests if gone.isdisjoint(nodes[id_]["depends_on"]["nodes"])]


def changed_files(manifest: Json, before: Json | None) -> list[str]:
    """The SQL files that are new or differ; without a state, all of them."""
    own = manifest["metadata"]["project_name"]
    parts = {"nodes": "checksum", "macros": "macro_sql"}  # a macro has no checksum
    return sorted({
        node["original_file_path"] for part, code in parts.items()
        for id_, node in manifest[part].items()
        if node["package_name"] == own and node["original_file_path"].endswith(".sql")
        and node.get(code) != (before or {}).get(part, {}).get(id_, {}).get(code)
    })  # fmt: skip


def names_of(nodes: Collection[str]) -> list[str]:
    """What dbt's --select takes: a node's name without its project."""
    return sorted({id_.split(".")[-1 if id_.startswith("unit_test.") else 2] for id_ in nodes})


def of_kind(nodes: Mapping[str, Any] | Collection[str], kinds: tuple[str, ...]) -> Iterator[str]:
    """The unique ids of these kinds."""
    return (id_ for id_ in nodes if id_.partition(".")[0] in kinds)
