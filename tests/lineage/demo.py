"""The demo project in a database: raw loaded, models compiled by dbt, built and built again by us.

dbt once, then the compiled SQL in the order of the models: a rebuild takes a tenth of a second.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import cursor

from ingestion.demo_api.page import DESK_TOKEN
from ingestion.demo_api.serve import desk_url
from ingestion.load import load
from orchestration import dbt
from orchestration.environment import tool_environment
from orchestration.lineage.build import Lineage
from orchestration.steps.lineage import read_lineage
from orchestration.warehouse import Warehouse
from tests.newcomer import copy_project, own_environment, settings_for


@dataclass
class Demo:
    """The built project. `sql` is in the order of the models."""

    warehouse: Warehouse
    lineage: Lineage
    manifest: dict[str, Any]
    sql: dict[str, str] = field(default_factory=dict)

    def build(self) -> None:
        """Make each model: views where dbt makes views, tables where it makes tables."""
        with self.warehouse.session() as session, session.cursor() as cursor:
            for schema in ("staging", "intermediate", "marts"):
                cursor.execute(f"create schema if not exists {schema}")
            for id_, sql in self.sql.items():
                node = self.manifest["nodes"][id_]
                kind = node["config"]["materialized"]
                cursor.execute(f"create {kind} {node['relation_name']} as {sql}")

    def downstream(self, source: str) -> list[str]:
        """The models that dbt says depend on a source table, in order."""
        reached = {source}
        for id_ in self.sql:
            if reached & set(self.manifest["nodes"][id_]["depends_on"]["nodes"]):
                reached.add(id_)
        return [id_ for id_ in self.sql if id_ in reached]

    def rebuild(self, at: cursor, models: list[str]) -> None:
        """Fill the tables among the models anew; views follow by themselves."""
        for id_ in models:
            node = self.manifest["nodes"][id_]
            if node["config"]["materialized"] == "table":
                at.execute(f"truncate {node['relation_name']}")
                at.execute(f"insert into {node['relation_name']} {self.sql[id_]}")

    def marts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The marts and their nodes."""
        for id_ in self.sql:
            if self.manifest["nodes"][id_]["schema"] == "marts":
                yield id_, self.manifest["nodes"][id_]

    def state(self, at: cursor, models: list[str]) -> dict[tuple[str, str], tuple[str, str]]:
        """Of each column of the marts: its values by the mart's key, and its values sorted."""
        found = {}
        for id_, node in self.marts():
            if id_ not in models:
                continue
            columns = [column.name for column in self.lineage.graph.nodes[id_].columns]
            keys = ", ".join(node["config"]["indexes"][0]["columns"])
            hashes = ", ".join(
                f"md5(string_agg({c}::text, '|' order by {keys}, {c})), "
                f"md5(string_agg({c}::text, '|' order by {c}::text))"
                for c in columns
            )
            at.execute(f"select {hashes} from {node['relation_name']}")
            values = at.fetchone()
            for number, column in enumerate(columns):
                found[id_, column] = (values[2 * number], values[2 * number + 1])
        return found


def make_demo(folder: Path, warehouse: Warehouse, api: str) -> Demo:
    """Load the shop, let dbt compile, read the lineage, build."""
    settings = settings_for(copy_project(folder / "clone"), warehouse)
    with own_environment():
        os.environ.update(tool_environment(settings, warehouse))
        load("jaffle_shop", warehouse.url(), folder / "dlt", base_url=api)
        load("support", warehouse.url(), folder / "dlt", base_url=desk_url(api),
             api_token=DESK_TOKEN)  # fmt: skip
        target = dbt.generate_docs(settings, folder / "logs")
    lineage = read_lineage(settings, target)
    manifest = _read(target / "manifest.json")
    ordered = {id_: manifest["nodes"][id_]["compiled_code"] for id_ in lineage.derived}
    demo = Demo(warehouse, lineage, manifest, ordered)
    demo.build()
    return demo


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def attempt(at: cursor, demo: Demo, change: list[str], models: list[str]) -> dict | None:
    """The state after a change of raw that is undone again; None where a model breaks of it."""
    at.execute("begin")
    try:
        for statement in change:
            at.execute(statement)
        demo.rebuild(at, models)
        return demo.state(at, models)
    except psycopg2.Error:
        return None
    finally:
        at.execute("rollback")
