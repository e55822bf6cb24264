"""Whether an endpoint can be asked for what changed since: only what really filters counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ingestion.contract import Column
from ingestion.declared.cursor import STYLES
from ingestion.probe.asking import Answer, Asker
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
    shape = drawn.shape
    for column in columns:
        values = shape.columns[column.name]
        key = shape.keys.get(column.name)
        moments = sorted(map(_moment, filter(None, values)))
        if len(set(moments)) < FEW or len(moments) < len(values) or not key:
            continue
        tried = _Tried(asker, url, paging, key, moments[len(moments) // 2])
        for name in _names(key, column.name, names):
            if style := tried.style(name, column, str(values[0])):
                said = f"only what changed is read: {name} really leaves out older {key}; "
                said += "what is deleted there is not noticed"
                return Since(column.name, name, style), said
    named = ", ".join(column.name for column in columns)
    return None, f"all of it is read on each load: no parameter filters by {named}"


def _names(key: str, column: str, names: Iterable[str] | None) -> list[str]:
    forms = [name.format(form) for name in PARAMS for form in dict.fromkeys((key, column))]
    forms = list(dict.fromkeys(forms))
    return forms if names is None else [name for name in forms if name in set(names)]


@dataclass(frozen=True)
class _Tried:
    """An endpoint that is asked for rows since a moment in the middle of those it has."""

    asker: Asker
    url: str
    paging: Paging
    key: str
    middle: datetime

    def style(self, name: str, column: Column, like: str) -> str:
        """How the parameter wants its moment written; nothing when it does not filter."""
        own = "timestamp" if column.zoned else "local" if "T" in like else "%Y-%m-%d %H:%M:%S"
        for style in ("date",) if column.type == "date" else (own, "date", "epoch"):
            written = STYLES[style](self.middle) if style in STYLES else f"{self.middle:{style}}"
            answer = self.asker.ask(self.url, {**self.paging.params, name: written})
            if answer.status < REFUSED:  # another way of writing would be as good as this one
                return style if self._filters(answer, style == "date") else ""
        return ""

    def _filters(self, answer: Answer, whole_days: bool) -> bool:
        """Whether older rows are left out, and younger ones are not."""
        earliest = self.middle.replace(microsecond=0)
        if whole_days:
            earliest = earliest.replace(hour=0, minute=0, second=0)
        got = self._moments(answer)
        if not got or min(got) < earliest or max(got) < self.middle:
            return False
        known = self._moments(self.asker.ask(self.url, self.paging.params))
        return any(moment < earliest for moment in known)

    def _moments(self, answer: Answer) -> list[datetime]:
        rows = rows_of(answer.body, self.paging.rows)
        return [_moment(row[self.key]) for row in rows if row.get(self.key)]


def _moment(written: str) -> datetime:
    """The moment, in UTC where it has a zone."""
    found = datetime.fromisoformat(written)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
