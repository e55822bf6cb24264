"""dbt's manifest and catalog as nodes of the graph, still without edges."""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestration.artifacts import MARTS, is_pii
from orchestration.lineage.graph import Column, Node

LAYERS = ("staging", "intermediate", "marts")
SQL_KINDS = ("model", "snapshot")
Json = dict[str, Any]


def owner_of(person: Json) -> str:
    """A name and an address, as far as there are any."""
    name, address = person.get("name") or "", person.get("email") or ""
    return f"{name} <{address}>" if name and address else name or address


def key_of(node: Json) -> str:
    """What compiled SQL calls a model's or source's table."""
    if node.get("config", {}).get("materialized") == "ephemeral":
        return f"__dbt__cte__{node['name']}"
    return f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"


def node_of(node: Json, manifest: Json) -> Node:
    """A model, snapshot, seed or source, without its columns."""
    kind = node["resource_type"]
    schema, _, table = key_of(node).rpartition(".")
    schema = "marts" if schema in MARTS else schema
    return Node(
        id=node["unique_id"],
        kind="raw" if kind == "source" else kind,
        layer=_layer(node),
        name=node["name"],
        relation=f"{schema}.{table}" if schema else "",
        owner=_owner(node, manifest),
        description=node.get("description") or "",
    )


def exposure_of(exposure: Json) -> Node:
    """An exposure, without its columns."""
    return Node(
        exposure["unique_id"], "exposure", "exposures", exposure.get("label") or exposure["name"],
        owner=owner_of(exposure.get("owner") or {}), description=exposure.get("description") or "",
    )  # fmt: skip


def columns_of(node: Json, names: Iterable[str], catalog: Json) -> tuple[Column, ...]:
    """The columns of those names, with what the catalog and the YAML say of them."""
    built = catalog_columns(node, catalog)
    written = {name.lower(): column for name, column in (node.get("columns") or {}).items()}
    found = []
    for name in names:
        said = written.get(name.lower(), {})
        kind = built.get(name, {}).get("type") or said.get("data_type") or ""
        about = (said.get("description") or "").strip()
        found.append(Column(name, kind, about, is_pii(said)))
    return tuple(found)


def declared(node: Json) -> dict[tuple[str, str | None], str]:
    """The types of columns as the YAML has them; of the node itself, the checksum of its file."""
    found: dict[tuple[str, str | None], str] = {
        (node["unique_id"], name): column["data_type"]
        for name, column in (node.get("columns") or {}).items()
        if column.get("data_type")
    }
    checksum = node.get("checksum", {}).get("checksum", "")
    return found | {(node["unique_id"], None): checksum}


def catalog_columns(node: Json, catalog: Json) -> Json:
    """The columns as the warehouse has them; nothing where the table has not been built."""
    part = catalog.get("sources" if node["resource_type"] == "source" else "nodes", {})
    found: Json = part.get(node["unique_id"], {}).get("columns", {})
    return found


def seed_columns(node: Json, catalog: Json) -> list[str]:
    """The columns of a seed; its file tells them before it has been built."""
    path = Path(node.get("root_path") or ".", node["original_file_path"])
    if (built := list(catalog_columns(node, catalog))) or not path.exists():
        return built
    with path.open(newline="") as lines:
        return next(csv.reader(lines), [])


def with_columns(node: Node, columns: tuple[Column, ...], unknown: str = "") -> Node:
    """The node with its columns, and why they cannot be traced when they cannot."""
    return replace(node, columns=columns, unknown=unknown)


def _layer(node: Json) -> str:
    if node["resource_type"] in {"source", "seed"}:
        return "raw"
    folders = [part for part in node.get("fqn", ()) if part in LAYERS]
    if folders:
        return folders[0]
    return "marts" if node["schema"] in MARTS else "intermediate"


def _owner(node: Json, manifest: Json) -> str:
    for group in manifest.get("groups", {}).values():
        if group["name"] == (node.get("group") or node.get("config", {}).get("group")):
            return owner_of(group["owner"])
    said = {**node.get("meta", {}), **node.get("config", {}).get("meta", {})}.get("owner", "")
    return owner_of(said) if isinstance(said, dict) else str(said)
