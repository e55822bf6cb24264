"""How a list goes on: proven by asking for its second page, not by the look of the first.

The styles are those of dlt's `rest_api`. What an answer shows by itself comes first (a Link
header, the URL of the next page, a cursor), then what has to be tried (a page number, an offset).
A guess counts only when what it brings are other rows than the first page's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.detector import (
    NEXT_PAGE_DICT_KEY_PATTERNS,
    RECORD_KEY_PATTERNS,
    find_all_lists,
)

from ingestion.probe.asking import Answer, Asker

Row = dict[str, Any]
Params = dict[str, Any]

# in small letters, without underscores and OData's mark
NEXT_KEYS = ("next", "nextlink", "nexturl", "nextpage", "nextpageurl", "nextcursor", "nexttoken",
             "nextpagetoken", "cursor", "endcursor", "after", "continuation", "continuationtoken",
             "bookmark", "marker", "scrollid")  # fmt: skip
TOTALS = ("total", "count", "totalcount", "totalresults", "totalitems", "totalrows", "recordcount",
          "filteredtablerowscount", "items", "totalelements", "numfound")  # fmt: skip
PRIMARY_KEYS = ("primary_keys", "primary_key", "primaryKey", "pks")
TOTAL_HEADERS = ("x-total-count", "x-total", "total-count", "x-total-results")
SMALL = 3


@dataclass
class Paging:
    """How an endpoint is read: where its rows lie, what goes with each request, how it goes on."""

    rows: str
    paginator: dict[str, Any]
    params: Params = field(default_factory=dict)
    total: int | None = None
    size_param: str | None = None  # which parameter makes its pages larger
    found: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def rows_of(body: Any, path: str) -> list[Row]:
    """The objects in the list at `path` of an answer; none where there is no such list."""
    if path == "$":
        found = body
    else:
        found = next(iter(jsonpath.find_values(path, body)), None) if body is not None else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def where_rows_are(body: Any, bare: bool = False) -> str | None:
    """The JSONPath of the list of objects in an answer; None if there is none.

    A list of one of the usual names goes first, then the longest. Where that is `bare`, a list of
    lists, no other counts: it may be that it has to be asked for as objects.
    """
    kind = list if bare else dict
    if isinstance(body, list):
        return "$" if all(isinstance(row, kind) for row in body) else None
    if not isinstance(body, dict):
        return None
    lists = [
        (path, rows) for path, rows in find_all_lists(body, result=[]) or ()
        if all(isinstance(row, dict | list) for row in rows)
    ]  # fmt: skip
    if not any(rows for _, rows in lists):
        lists = [(path, rows) for path, rows in lists if path[-1].lower() in RECORD_KEY_PATTERNS]
    usual = [each for each in lists if each[0][-1].lower() in RECORD_KEY_PATTERNS]
    path, rows = max(usual or lists, key=lambda each: len(each[1]), default=((), []))
    found = bool(path) and all(isinstance(row, kind) for row in rows)
    return ".".join(map(_step, path)) if found else None


def declared_key(body: Any) -> tuple[str, ...]:
    """The key of the rows, where the answer names it beside them."""
    for name in PRIMARY_KEYS:
        found = body.get(name) if isinstance(body, dict) else None
        names = [found] if isinstance(found, str) else found
        if isinstance(names, list) and names and all(isinstance(each, str) for each in names):
            return tuple(names)
    return ()


def total_of(answer: Answer) -> int | None:
    """How many rows there are in all, where the answer says so."""
    for name in TOTAL_HEADERS:
        if answer.headers.get(name, "").isdigit():
            return int(answer.headers[name])
    of = answer.headers.get("content-range", "").rpartition("/")[2]
    if of.isdigit():
        return int(of)
    places = [value for key, value in _leaves(answer.body, ()) if _plain(key[-1]) in TOTALS]
    return next((n for n in places if isinstance(n, int) and not isinstance(n, bool)), None)


def _plain(key: str) -> str:
    return key.lower().replace("_", "").removeprefix("@").removeprefix("odata.")


def _step(key: str) -> str:
    return key if key.replace("_", "a").isalnum() and not key[0].isdigit() else f"'{key}'"


def _leaves(body: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The scalars outside of any list, the outermost first."""
    if not isinstance(body, dict) or len(at) > SMALL:
        return
    yield from (((*at, key), value) for key, value in body.items()
                if not isinstance(value, dict | list))  # fmt: skip
    for key, value in body.items():
        yield from _leaves(value, (*at, key))


def next_in(body: Any) -> Iterator[tuple[str, Any]]:
    """What may point at the next page: the JSONPath and the value, URLs before cursors."""
    found = [
        (".".join(map(_step, path)), value) for path, value in _leaves(body, ())
        if _plain(path[-1]) in NEXT_KEYS
        or (len(path) > 1 and path[-1] in NEXT_PAGE_DICT_KEY_PATTERNS
            and _plain(path[-2]) in NEXT_KEYS)
    ]  # fmt: skip
    return iter(sorted(found, key=lambda each: not is_url(each[1])))


def is_url(value: Any) -> bool:
    """Whether a value of the answer leads somewhere."""
    return isinstance(value, str) and value.startswith(("http://", "https://", "/", "?"))


def brings_others(asker: Asker, url: str, params: Params, rows: str, first: list[Row]) -> bool:
    """Whether this question brings other rows than the first page."""
    more = rows_of(asker.ask(url, params).body, rows)
    known = {repr(row) for row in first}
    if not more or repr(more[0]) in known:  # the first page again, perhaps a longer one
        return False
    return sum(repr(row) in known for row in more) * 2 <= len(more)
