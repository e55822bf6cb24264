"""Whether an endpoint can be asked for what changed since: only what really filters counts."""

from collections.abc import Iterable

from ingestion.probe.asking import Asker
from ingestion.probe.contracts import Drawn
from ingestion.probe.found import Since
from ingestion.probe.names import CHANGED
from ingestion.probe.paging import Paging, rows_of

# {} stands for the column, as the API writes it
PARAMS = ("updated_since", "since", "modified_since", "updated_after", "modified_after",
          "changed_since", "updated_at_min", "min_updated_at", "start_date", "from", "start",
          "{}[gte]", "{}_gte", "{}__gte", "{}[gt]", "{}_gt", "{}__gt", "{}_after", "{}_since",
          "{}_from", "{}_min", "min_{}", "since_{}", "updatedSince", "modifiedSince",
          "updatedAfter", "updatedAtMin", "from_date", "date_from", "startDate", "after",
          "last_modified")  # fmt: skip
FEW = 3  # rows, below which a filter proves nothing
REFUSED = 400


def find_since(
    asker: Asker, url: str, paging: Paging, drawn: Drawn, names: Iterable[str] | None
) -> tuple[Since | None, str]:
    """The parameter that asks for rows since a moment, and a sentence on what was tried.

    The moment is in the middle of what the sample has, so that the answer must lack rows that
    stand on the first page or be shorter, and must hold none from before it.
    """
    columns = [
        column for column in drawn.contract.columns
        if CHANGED.match(column.name) and column.type in ("timestamp", "date")
    ]  # fmt: skip
    if not columns:
        return None, "all of it is read on each load: no column says when a row changed"
    for column in columns:
        values = drawn.shape.columns[column.name]
        key = next(
            (k for k, name in drawn.shape.renamed.items() if name == column.name), column.name
        )
        moments = sorted(value for value in values if isinstance(value, str))
        if len(set(moments)) < FEW or len(moments) < len(values) or "." in key:
            continue
        middle = moments[len(moments) // 2]
        for name in _names(key, column.name, names):
            if style := _style(asker, url, paging, key, middle, name, column.type):
                said = f"only what changed is read: {name} really leaves out older {key}"
                return Since(column.name, name, style), said
    tried = ", ".join(column.name for column in columns)
    return None, f"all of it is read on each load: no parameter filters by {tried}"


def _names(key: str, column: str, names: Iterable[str] | None) -> list[str]:
    forms = [name.format(form) for name in PARAMS for form in dict.fromkeys((key, column))]
    forms = list(dict.fromkeys(forms))
    return forms if names is None else [name for name in forms if name in set(names)]


def _style(
    asker: Asker, url: str, paging: Paging, key: str, middle: str, name: str, kind: str
) -> str:
    """How the parameter wants its moment written; nothing when it does not filter."""
    if kind == "timestamp":  # as the API writes it itself; as a day where it refuses that
        answer = asker.ask(url, {**paging.params, name: middle})
        if answer.status < REFUSED:
            return "timestamp" if _filters(asker, url, paging, key, middle, {name: middle}) else ""
    return "date" if _filters(asker, url, paging, key, middle, {name: middle[:10]}) else ""


def _filters(
    asker: Asker, url: str, paging: Paging, key: str, middle: str, since: dict[str, str]
) -> bool:
    """Whether older rows are left out, and younger ones are not."""
    found = rows_of(asker.ask(url, {**paging.params, **since}).body, paging.rows)
    earliest = next(iter(since.values()))
    got = [str(row.get(key)) for row in found]
    if not got or min(got) < earliest or max(got) < middle:
        return False
    known = rows_of(asker.ask(url, paging.params).body, paging.rows)
    return any(str(row.get(key)) < earliest for row in known)
