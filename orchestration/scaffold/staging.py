"""What a staging view makes of a raw table: one plain description for SQL, YAML and tests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.probe.names import singular
from orchestration.scaffold.names import RESERVED, VAGUE

if TYPE_CHECKING:
    from ingestion.contract import Column, Contract
    from ingestion.probe.found import Resource

GROUPS = {
    "text": "text", "timestamp": "times", "date": "times", "boolean": "booleans",
    "whole": "numbers", "decimal": "numbers", "float": "numbers", "json": "text",
}  # fmt: skip
ORDER = ("ids", "text", "times", "numbers", "booleans")
BARE = "abcdefghijklmnopqrstuvwxyz_0123456789"


@dataclass(frozen=True)
class Shown:
    """One column of a view. `group` is the comment that it stands under."""

    raw: str
    alias: str
    group: str
    words: str
    pii: bool = False

    def sql(self) -> str:
        """The column as the view selects it."""
        quoted = self.raw if set(self.raw) <= set(BARE) and self.raw not in RESERVED \
            else f'"{self.raw}"'  # fmt: skip
        return quoted if quoted == self.alias else f"{quoted} as {self.alias}"


@dataclass(frozen=True)
class View:
    """One staging view: `rows` is the macro call that picks the current rows of its raw table.

    `above` are those of the tables in whose rows it lies, the outermost first.
    """

    name: str
    table: str
    rows: str
    columns: tuple[Shown, ...]
    key: tuple[str, ...]  # aliases; empty for a list that lies in the rows of another table
    words: str
    log: bool
    above: tuple[str, ...] = ()

    def groups(self) -> Iterator[tuple[str, list[Shown]]]:
        """The columns under their comments."""
        for group in ORDER:
            found = [column for column in self.columns if column.group == group]
            if found:
                yield group, found


def as_sent(column: str) -> str:
    """What can be said of a column that nobody has described: where in the JSON it comes from."""
    return f"`{column.replace('__', '.')}` as sent."


def views_of(source: str, resources: "Iterable[Resource]") -> list[View]:
    """A view for each raw table, those of nested lists after their own."""
    return [view for each in resources for view in _views(source, each)]


def _views(source: str, resource: "Resource") -> Iterator[View]:
    contract, log = resource.contract, resource.since is not None
    kind = "log" if log else "scd2"
    rows = (
        f"current_rows_of_{kind}('{source}', '{contract.table}', key={list(contract.identity())})"
    )
    columns = [_shown(contract, column) for column in contract.columns]
    if not contract.key:
        columns.append(Shown("_dlt_id", "_dlt_id", "ids", "A hash of the row: its only key."))
    aliases = {column.raw: column.alias for column in columns}
    one = singular(contract.table).replace("_", " ")
    yield View(
        f"stg_{source}__{contract.table}", contract.table, rows, _apart(columns),
        tuple(aliases[name] for name in contract.identity()),
        f"One row per {one}, as it was sent last." if contract.key else
        "One row per different row that it sends; there is no key.", log,
    )  # fmt: skip
    carried = {name: aliases[name] for name in contract.key}
    yield from _nested(source, contract, (rows,), carried, log)


def _nested(
    source: str, parent: "Contract", above: tuple[str, ...], carried: dict[str, str], log: bool
) -> Iterator[View]:
    """The views of the lists in a table's rows; each row carries the key of the row it lay in."""
    for _, child in parent.children:
        call = f"nested_rows('{source}', '{child.table}', parents, {list(carried)})"
        own = [_shown(child, column) for column in child.columns]
        keys = [
            Shown(f"_parent_{name}", alias, "ids", f"The row of {parent.table} in which it lies.")
            for name, alias in carried.items()
        ]
        place = Shown("_dlt_list_idx", "list_position", "numbers", "Place in the list, from 0.")
        one = singular(child.table.rpartition("__")[2])
        top, _, rest = child.table.partition("__")
        yield View(
            f"stg_{source}__{singular(top)}_{rest.replace('__', '_')}", child.table, call,
            _apart([*keys, *own, place]), (),
            f"One row per {one.replace('_', ' ')} in the rows of {parent.table} that count now.",
            log, above,
        )  # fmt: skip
        # a list in the list keeps the key of the row at the top, and the place in the list between
        below = {shown.raw: shown.alias for shown in keys} | {"_dlt_list_idx": f"{one}_position"}
        yield from _nested(source, child, (*above, call), below, log)


def _shown(contract: "Contract", column: "Column") -> Shown:
    one = singular(contract.table.rpartition("__")[2])
    name = column.name
    alias = name.replace("__", "_").strip("_") or name
    if alias in VAGUE | RESERVED or alias[0].isdigit():
        alias = f"{one}_{alias}"
    is_id = name in contract.key or alias.endswith(("_id", "_uuid", "_key", "_code"))
    group = "ids" if is_id else GROUPS[column.type]
    own = f"Which {one.replace('_', ' ')} it is."
    words = own if name in contract.key else as_sent(name)
    return Shown(name, alias, group, words, column.pii)


def _apart(columns: list[Shown]) -> tuple[Shown, ...]:
    """The columns, no two of one name."""
    found: dict[str, Shown] = {}
    for column in columns:
        alias, number = column.alias, 2
        while alias in found:
            alias, number = f"{column.alias}_{number}", number + 1
        found[alias] = Shown(column.raw, alias, column.group, column.words, column.pii)
    return tuple(found.values())
