"""Which columns of raw a column of a mart is taken from as it is, without being computed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from orchestration.tracing.parts import Part, Source, folded

if TYPE_CHECKING:
    from orchestration.tracing.views import Views


def taken_from(views: "Views", mart: str, column: str) -> list[tuple[str, str]]:
    """Tables and columns that nothing is behind: `schema.table` and the name of the column."""
    waiting, found = [(views.of_mart(mart), column)], []
    while waiting:
        view, name = waiting.pop()
        place = views.places[view]
        if place.made_by:
            waiting.append((place.made_by, name))
        elif place.part:
            waiting += _sources_of(views, place.part, name)
        else:
            found.append((place.of, name))
    return list(dict.fromkeys(found))


def _sources_of(views: "Views", part: Part, name: str) -> Iterator[tuple[str, str]]:
    if name not in part.columns:
        return
    if not isinstance(part.query, exp.Select):
        at = part.columns.index(name)
        yield from ((s.view, views.places[s.view].columns[at]) for s in part.sources)
        return
    items = [item for item in part.query.expressions if folded(item) == name]
    wanted, table = name, ""
    if items:
        column = items[0].unalias()
        if not isinstance(column, exp.Column):
            return
        wanted, table = folded(column.this), folded(column.args.get("table"))
    having = [s for s in part.sources if wanted in views.places[s.view].columns]
    source: Source | None = next((s for s in having if table in {"", s.alias}), None)
    if source:
        yield source.view, wanted
