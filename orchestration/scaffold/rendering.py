"""What has been found, as the files of a source: text only, nothing is written here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.scaffold.python_code import STEP, WIDTH, Call, Name, code
from orchestration.scaffold.staging import Shown, View, as_sent, views_of

if TYPE_CHECKING:
    from ingestion.contract import Column, Contract
    from ingestion.probe.found import Found, Resource

TEMPLATES = Path(__file__).parent / "templates"
DLT = (  # what dlt and the engine add to a row, and where they do
    ("_dlt_parent_id", "The _dlt_id of the row that it lay in.", "nested"),
    ("_dlt_list_idx", "Place in the list, from 0.", "nested"),
    ("_dlt_valid_from", "When this version was first loaded.", "scd2"),
    ("_dlt_valid_to", "When a load no longer found this version; null: it is current.", "scd2"),
    ("_dlt_load_id", "The load that brought the row; may be read once _dlt_loads says it is whole.",
     "all"),
    ("_dlt_id", "A hash of the row as it was sent, nested lists included.", "all"),
    ("_page", "The page on which it came, from 1; null where it came from the quarantine.", "top"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One raw table, as sources.yml has it."""

    name: str
    words: str
    log: bool
    required: list[str]
    columns: list[Shown]


def render(name: str, found: "Found") -> dict[str, str]:
    """The files of the source by their paths in the project."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=False,  # noqa: S701 - no HTML comes of it
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined,
    )  # fmt: skip
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    views = views_of(name, found.resources)
    context = {
        "name": name, "found": found, "url": found.url, "views": views,
        "rows": f"{sum(each.sampled for each in found.resources):,}",
        "constants": [constant for each in found.resources for constant in _constants(each)],
        "endpoints": _declared(found),
        "imports": _imports(name, found),
        "cursors": any(each.since for each in found.resources),
        "auth": _auth(found),
        "variables": [f"SOURCES__{name.upper()}__{each.upper()}" for each in found.secrets],
        "tables": [table for each in found.resources for table in _tables(each)],
    }  # fmt: skip
    source, staging = f"ingestion/sources/{name}", f"dbt_project/models/staging/{name}"
    wanted = {
        f"{source}/__init__.py": f"{found.kind}.py.j2",
        f"{source}/contract.py": "contract.py.j2",
        f"{source}/README.md": "README.md.j2",
        f"{staging}/_{name}__sources.yml": "sources.yml.j2",
        f"{staging}/_{name}__models.yml": "models.yml.j2",
    }
    files = {path: environment.get_template(file).render(context) for path, file in wanted.items()}
    stories = [story for view in views if (story := _story(view, found))]
    if stories:
        rendered = environment.get_template("unit_tests.yml.j2").render(name=name, views=stories)
        files[f"{staging}/_{name}__unit_tests.yml"] = rendered
    for view in views:
        rendered = environment.get_template("staging.sql.j2").render(view=view)
        files[f"{staging}/{view.name}.sql"] = rendered
    return files


def constant_of(contract: "Contract") -> str:
    """The name of a contract in contract.py."""
    return contract.table.upper()


def _constants(resource: "Resource") -> Iterator[str]:
    """The contracts as Python, those of nested lists before the one that holds them."""
    yield from _contract_code(resource.contract)


def _contract_code(contract: "Contract") -> Iterator[str]:
    for _, child in contract.children:
        yield from _contract_code(child)
    named: dict[str, Any] = {
        "table": contract.table,
        "key": contract.key,
        "columns": tuple(map(_column, contract.columns)),
    }
    if contract.children:
        named["children"] = tuple(
            (name, Name(constant_of(child))) for name, child in contract.children
        )
    named["unknown"] = contract.unknown
    call = Call("Contract", (), named, long=True)
    yield f"{constant_of(contract)} = {code(call)}"


def _column(column: "Column") -> Call:
    named: dict[str, Any] = {}
    if column.nullable:
        named["nullable"] = True
    if column.type == "decimal":
        named["digits"] = column.digits
    if column.zoned:
        named["zoned"] = True
    if column.pii:
        named["pii"] = True
    return Call("Column", (column.name, column.type), named)


def _imports(name: str, found: "Found") -> str:
    names = sorted(constant_of(each.contract) for each in found.resources)
    head = f"from ingestion.sources.{name}.contract import "
    flat = head + ", ".join(names)
    if len(flat) <= WIDTH:
        return flat
    return "\n".join([f"{head}(", *(f"{STEP}{each}," for each in names), ")"])


def _auth(found: "Found") -> str:
    """The auth as Python, its secrets by the names of the arguments; "" where there is none."""
    if not found.auth:
        return ""
    words = found.auth | {named: Name(ours) for ours, named in found.secrets.items()}
    return f"auth = {code(words, 1, 7)}"


def _declared(found: "Found") -> str:
    """The endpoints, tables or files as Python."""
    name = {"rest": "ENDPOINTS", "sql": "TABLES", "files": "FILES"}[found.kind]
    made = tuple(
        _endpoint(each) if found.kind == "rest" else _place(found.kind, each)
        for each in found.resources
    )
    return f"{name} = {code(made, 0, len(name) + 3)}"


def _place(kind: str, resource: "Resource") -> Call:
    """A table of a database, or files."""
    named = dict(resource.params)
    if resource.since:
        named["cursor"] = resource.since.column
    args = (Name(constant_of(resource.contract)), resource.path)
    return Call("Files" if kind == "files" else "Table", args, named)


def _endpoint(resource: "Resource") -> Call:
    named: dict[str, Any] = {}
    if resource.rows != "$":
        named["rows"] = resource.rows
    if resource.paginator["type"] != "single_page":
        named["paginator"] = resource.paginator
    if resource.params:
        named["params"] = resource.params
    if since := resource.since:
        named["cursor"] = Call("Cursor", (since.column, since.param), {"style": since.style})
    return Call("Endpoint", (Name(constant_of(resource.contract)), resource.path), named)


def _tables(resource: "Resource") -> Iterator[Table]:
    log = resource.since is not None
    kind = "log" if log else "scd2"
    said = "per time it was sent: an append-only log" if log else "per version (scd2)"
    words = f"One row of {resource.path} {said}."
    required = [
        *resource.contract.key,
        *(["_dlt_valid_from"] if not log else []),
        "_dlt_load_id",
        "_dlt_id",
    ]
    yield Table(resource.contract.table, words, log, required,
                _described(resource.contract, {"all", "top", kind}))  # fmt: skip
    yield from _lists(resource.contract)


def _lists(parent: "Contract") -> Iterator[Table]:
    for _, child in parent.children:
        words = f"What lies in a list in the rows of {parent.table}."
        required = ["_dlt_parent_id", "_dlt_load_id", "_dlt_id"]
        yield Table(child.table, words, False, required, _described(child, {"all", "nested"}))
        yield from _lists(child)


def _described(contract: "Contract", where: set[str]) -> list[Shown]:
    own = [
        Shown(each.name, each.name, "", as_sent(each.name), each.pii) for each in contract.columns
    ]
    return own + [Shown(name, name, "", words) for name, words, place in DLT if place in where]


def _story(view: View, found: "Found") -> dict[str, Any] | None:
    """A unit test of a view with a key: of two versions of a row, and half a load, one counts."""
    contract = next((r.contract for r in found.resources if r.contract.table == view.table), None)
    if contract is None or not contract.key:
        return None
    types = {column.name: column.type for column in contract.columns}
    others = (each for each in view.columns if each.raw not in contract.key)
    told = next((each for each in others if types.get(each.raw) == "text"), None)
    if told is None or not {types[name] for name in contract.key} <= {"text", "whole"}:
        return None
    key = {name: "k" if types[name] == "text" else 1 for name in contract.key}
    closed: dict[str, Any] = {} if view.log else {"_dlt_valid_to": "2026-01-02 00:00+00"}
    valid: dict[str, Any] = {} if view.log else {"_dlt_valid_to": None}
    rows = {
        "old": {told.raw: "old", **closed, "_dlt_load_id": "1700000001.1", "_dlt_id": "a"},
        "new": {told.raw: "new", **valid, "_dlt_load_id": "1700000002.2", "_dlt_id": "b"},
        "half": {told.raw: "half", **valid, "_dlt_load_id": "1700000003.3", "_dlt_id": "c"},
    }
    aliases = {column.raw: column.alias for column in view.columns}
    expected = {aliases[name]: value for name, value in key.items()} | {told.alias: "new"}
    return {
        "name": view.name, "table": view.table, "expected": json.dumps(expected),
        "story": "The version of the newest whole load counts; a load that broke off does not.",
        **{which: json.dumps({**key, **row}) for which, row in rows.items()},
    }  # fmt: skip
