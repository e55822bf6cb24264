"""Who owns what and who stands downstream, as dbt's manifest says it."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.artifacts import MARTS
from orchestration.dbt import build_path, docs_path
from orchestration.environment import published_state
from orchestration.settings import Settings


@dataclass(frozen=True)
class Owner:
    """Who answers: the name that routes go by, and what else dbt knows of them."""

    name: str
    title: str = ""
    email: str = ""

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.name} ({self.title})" if self.title not in {"", self.name} else self.name


class Project:
    """A manifest, asked about owners and about what depends on what."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        """An empty manifest knows nothing, and every answer is empty."""
        self._groups = {
            group["name"]: _owner(group) for group in manifest.get("groups", {}).values()
        }
        self._up: dict[str, list[str]] = manifest.get("parent_map", {})
        self._down: dict[str, list[str]] = manifest.get("child_map", {})
        kinds = ("nodes", "sources", "exposures", "unit_tests")
        self._nodes: dict[str, dict[str, Any]] = {
            unique_id: node for kind in kinds for unique_id, node in manifest.get(kind, {}).items()
        }

    def knows(self, unique_id: str) -> bool:
        """Whether there is such a node."""
        return unique_id in self._nodes

    def source_tables(self, source: str) -> dict[str, str]:
        """The tables of a source: name to unique id."""
        return {node["identifier"]: unique_id for unique_id, node in self._nodes.items()
                if node.get("source_name") == source}  # fmt: skip

    def table(self, name: str) -> str | None:
        """The unique id of what people call marts.orders or raw_shop.orders."""
        return self._labelled.get(name)

    @cached_property
    def _labelled(self) -> dict[str, str]:
        return {self.label(node): node for node in reversed(self._nodes)}  # the first one counts

    def mart_name(self, unique_id: str) -> str | None:
        """The name of the relation, if the node is a mart."""
        node = self._nodes.get(unique_id, {})
        is_mart = node.get("resource_type") == "model" and node.get("schema") in MARTS
        return node["alias"] if is_mart else None

    def marts(self) -> list[str]:
        """The unique ids of all marts, by name."""
        found = {name: node for node in self._nodes if (name := self.mart_name(node))}
        return [found[name] for name in sorted(found)]

    def owner(self, unique_id: str) -> Owner | None:
        """Its own owner, else that of what it was made of: the nearest upstream."""
        for each in (unique_id, *self.upstream(unique_id)):
            if found := self._own_owner(self._nodes.get(each, {})):
                return found
        return None

    def owners_of(self, unique_id: str) -> list[Owner]:
        """Who answers for a node; for a test without an owner, the owners of all that it reads."""
        node = self._nodes.get(unique_id, {})
        is_test = unique_id.startswith(("test.", "unit_test."))
        read = self.tested(unique_id) if is_test and not self._own_owner(node) else [unique_id]
        return list(dict.fromkeys(found for each in read if (found := self.owner(each))))

    def tested(self, unique_id: str) -> list[str]:
        """What a test is about: the node whose YAML holds it, else all that it reads."""
        attached = self._nodes.get(unique_id, {}).get("attached_node")
        return [attached] if attached else self._up.get(unique_id, [])

    def owners(self) -> list[Owner]:
        """All there are, each once."""
        found = (self.owner(node) for node in self._nodes)
        return list(dict.fromkeys(owner for owner in found if owner))

    def describe(self, unique_id: str) -> str:
        """What its YAML says it means."""
        return " ".join(self._nodes[unique_id].get("description", "").split())

    def label(self, unique_id: str) -> str:
        """A node's name as readers know it: marts.orders, dashboard Morning sales."""
        node = self._nodes.get(unique_id)
        if node is None:  # a manifest that is older than what speaks of it
            return unique_id.split(".", 2)[-1]
        if node["resource_type"] in {"test", "unit_test"}:
            return f"test {node['name']}"
        if node["resource_type"] == "exposure":
            return f"{node.get('type') or 'exposure'} {node.get('label') or node['name']}"
        schema = "marts" if self.mart_name(unique_id) else node.get("schema", "")
        return f"{schema}.{node.get('identifier') or node.get('alias') or node['name']}"

    def upstream(self, unique_id: str) -> Iterator[str]:
        """All that it is made of, nearest first."""
        return self._walk(unique_id, self._up)

    def downstream(self, unique_id: str) -> Iterator[str]:
        """All that is made of it, nearest first; tests are left out."""
        return (each for each in self._walk(unique_id, self._down)
                if not each.startswith(("test.", "unit_test.")))  # fmt: skip

    def readers(self, unique_id: str) -> list[str]:
        """The marts and exposures that are made of it, itself included."""
        found = [unique_id, *self.downstream(unique_id)]
        return [each for each in found if self.mart_name(each) or each.startswith("exposure.")]

    def _walk(self, start: str, neighbours: dict[str, list[str]]) -> Iterator[str]:
        seen, waiting = {start}, deque([start])
        while waiting:
            for each in sorted(neighbours.get(waiting.popleft(), ())):
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
                    yield each

    def _own_owner(self, node: dict[str, Any]) -> Owner | None:
        config = node.get("config", {})
        name = config.get("meta", {}).get("owner") or node.get("meta", {}).get("owner")
        group = self._groups.get(config.get("group") or node.get("group") or "")
        if name:
            routes = self._groups.get(str(name)) or group
            return Owner(str(name), routes.title if routes else "", routes.email if routes else "")
        if not node.get("owner"):
            return group
        own = _owner(node)  # of an exposure, which names people; they may be those of a group
        return next((each for each in self._groups.values() if each.title == own.title), own)


def newest_project(settings: Settings, *folders: Path) -> Project:
    """The manifest of the first folder that has one; after those given, where runs leave theirs."""
    for folder in (*folders, published_state(settings), docs_path(settings), build_path(settings)):
        try:
            return Project(json.loads((folder / "manifest.json").read_text()))
        except (OSError, ValueError):
            continue
    return Project({})


def _owner(node: dict[str, Any]) -> Owner:
    """Of a group or an exposure. dbt lets e-mail be a list."""
    given = node["owner"]
    email = given.get("email") or ""
    email = email[0] if isinstance(email, list) else email
    title = given.get("name") or ""
    name = node["name"] if node.get("resource_type") == "group" else title or email
    return Owner(name, title, email)
