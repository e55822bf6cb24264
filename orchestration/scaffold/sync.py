"""`ecluse sync`: what dlt has loaded beside what dbt says of it, and both brought in step."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.errors import BAD_DATA, ConfigurationError, EcluseError
from orchestration.scaffold.editing import documents, with_columns, with_selected
from orchestration.scaffold.staging import as_sent
from orchestration.settings import Settings

if TYPE_CHECKING:
    from ingestion.contract import Column, Contract
    from orchestration.lineage.endpoints import Source
    from orchestration.lineage.graph import Graph

OURS = ("_dlt_", "_page")  # columns that the API has not sent
ALIKE = {"timestamptz": "timestamp"}


class OutOfStep(EcluseError):
    """A source and what dbt says of it differ: a table would be read in a way that is no more."""

    exit_code = BAD_DATA


@dataclass(frozen=True)
class Slip:
    """One column that is out of step; `added` when `sync` can put it right by itself."""

    source: str
    table: str
    column: str
    words: str
    added: bool = False
    pii: bool = False
    breaks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The slip in words, and whom it strikes."""
        struck = f"; breaks {', '.join(self.breaks)}" if self.breaks else ""
        return f"{self.source}.{self.table}.{self.column}: {self.words}{struck}"


@dataclass
class Said:
    """What dbt says of one source: its tables' columns, where, and which views read them."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # table -> its YAML
    views: dict[str, list[Path]] = field(default_factory=dict)


def sync_sources(settings: Settings, name: str | None, check: bool) -> None:
    """Say what is out of step, and unless it is a check, add what is new to YAML and views.

    Raises:
        ConfigurationError: there is no such source.
        OutOfStep: with `check` anything; without, what only a person can decide.
    """
    from orchestration.steps.lineage import known_sources

    known = known_sources(settings)
    if name and name not in known:
        raise ConfigurationError(f"There is no source {name!r}. Sources: {', '.join(known)}.")
    models, graph = settings.root / "dbt_project" / "models", _graph(settings)
    slips = []
    for each, source in known.items():
        if name in (None, each):
            said = _said(models, each)
            found = list(_compare(each, source, said, graph))
            if not check:
                _add(settings.root, said, [slip for slip in found if slip.added])
            slips += found
    for slip in slips:
        click.echo(f"{'+' if slip.added else '!'} {slip}")
    left = [slip for slip in slips if check or not slip.added]
    if left:
        raise OutOfStep(f"{len(left)} columns are out of step" + (
            ": `ecluse sync` adds what is new, the rest is yours to mend." if check else
            ": change the contract, or the models that read them."))  # fmt: skip
    if not slips:
        click.echo(f"In step: {name or ', '.join(known)}.")


def _graph(settings: Settings) -> "Graph | None":
    """The lineage of the last run that traced columns, which knows who reads what."""
    from orchestration.lineage.newest import newest_graph

    try:
        return newest_graph(settings.runs_dir)
    except ConfigurationError:
        return None


def _said(models: Path, source: str) -> Said:
    said = Said()
    for path, document in documents(models):
        for each in document.get("sources") or ():
            for table in each.get("tables") or () if each["name"] == source else ():
                names = [column["name"] for column in table.get("columns") or ()]
                said.columns[table["name"]], said.files[table["name"]] = names, path
    for path in sorted(models.rglob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        if f"'{source}'" in sql:
            for table in said.columns:
                if re.search(rf"'{source}',\s*'{table}'", sql):
                    said.views.setdefault(table, []).append(path)
    return said


def _compare(name: str, source: "Source", said: Said, graph: "Graph | None") -> Iterator[Slip]:
    for contract in source.resources():
        for part in (contract, *contract.nested()):
            loaded = source.tables.get(part.table, {})
            yield from _of_table(name, part, loaded, said, graph)


def _of_table(
    name: str, contract: "Contract", loaded: Any, said: Said, graph: "Graph | None"
) -> Iterator[Slip]:
    table = contract.table
    if table not in said.columns:
        if loaded:  # what a contract promises need not be loaded
            yield Slip(name, table, "*", "raw has this table, sources.yml does not name it")
        return
    promised = {column.name: column for column in contract.columns}
    views = " ".join(path.read_text(encoding="utf-8") for path in said.views.get(table, ()))
    for column in dict.fromkeys([*promised, *loaded]):
        if column.startswith(OURS):
            continue
        known, pii = column in said.columns[table], column in promised and promised[column].pii
        read = not views or re.search(rf"\b{re.escape(column)}\b", views) is not None
        if not known or not read:
            where = " and ".join([*(["sources.yml"] if not known else []),
                                  *(["its staging view"] if not read else [])])  # fmt: skip
            yield Slip(name, table, column, f"new, not in {where}", True, pii)
        elif column in promised and (was := _moved(promised[column], loaded.get(column))):
            yield Slip(name, table, column, was, breaks=_readers(graph, name, table, column))
    for column in said.columns[table]:
        if column not in promised and column not in loaded and not column.startswith(OURS):
            readers = _readers(graph, name, table, column) or _named(said, table, column)
            yield Slip(name, table, column, "neither in the contract nor in raw", breaks=readers)


def _moved(column: "Column", loaded: str | None) -> str:
    wanted = column.hint()["data_type"]
    if loaded is None or ALIKE.get(loaded, loaded) == wanted:
        return ""
    return f"{loaded} in raw, {wanted} by the contract"


def _readers(graph: "Graph | None", source: str, table: str, column: str) -> tuple[str, ...]:
    """The models and exposures that read the column, as the last run traced them."""
    nodes = graph.nodes.values() if graph else ()
    place = next((node.id for node in nodes if node.relation == f"raw_{source}.{table}"), None)
    if graph is None or place is None:
        return ()
    edges = graph.walk(place, column, "down", ("direct", "indirect"))
    return tuple(dict.fromkeys(graph.nodes[edge.to_node].name for edge in edges))


def _named(said: Said, table: str, column: str) -> tuple[str, ...]:
    """The views that name the column, where no run has traced it."""
    word = re.compile(rf"\b{re.escape(column)}\b")
    views = said.views.get(table, ())
    return tuple(view.stem for view in views if word.search(view.read_text(encoding="utf-8")))


def _add(root: Path, said: Said, slips: list[Slip]) -> None:
    """Write new columns into sources.yml, the staging view and what models.yml says of it."""
    for table in dict.fromkeys(slip.table for slip in slips):
        new = [(slip.column, as_sent(slip.column), slip.pii)
               for slip in slips if slip.table == table]  # fmt: skip
        source = next(slip.source for slip in slips if slip.table == table)
        path = said.files[table]
        listed = [each for each in new if each[0] not in said.columns[table]]
        if listed:
            at = ("sources", source, "tables", table)
            path.write_text(with_columns(path.read_text(encoding="utf-8"), at, listed))
        views = [view for view in said.views.get(table, ()) if _is_of(view, source, table)]
        for view in views[:1]:
            _add_to_view(root, view, new)


def _is_of(view: Path, source: str, table: str) -> bool:
    """Whether the view is the staging of this table, and does not read it only as a parent."""
    selected = view.read_text(encoding="utf-8").rpartition("%}")[2]  # after the parents
    call = re.search(r"'(\w+)',\s*'(\w+)'", selected)
    return call is not None and call.groups() == (source, table)


def _add_to_view(root: Path, view: Path, new: list[tuple[str, str, bool]]) -> None:
    sql = view.read_text(encoding="utf-8")
    missing = [each for each in new if not re.search(rf"\b{re.escape(each[0])}\b", sql)]
    changed = with_selected(sql, [name for name, _, _ in missing]) if missing else None
    if changed is None:
        return
    view.write_text(changed, encoding="utf-8")
    for path, document in documents(root / "dbt_project" / "models"):
        for model in document.get("models") or ():
            if model["name"] == view.stem and model.get("columns"):
                text = path.read_text(encoding="utf-8")
                path.write_text(with_columns(text, ("models", view.stem), missing))
