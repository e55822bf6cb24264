"""Try the ways in which an endpoint may go on, until one proves itself."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urljoin

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.detector import find_total_pages_path

from ingestion.probe.asking import Answer, Asker
from ingestion.probe.paging import SMALL, Paging, brings_others, is_url, next_in, rows_of, total_of

SIZES = ("limit", "page_size", "per_page", "pageSize", "size", "_limit", "_size", "_per_page",
         "$top", "perPage", "max_results", "maxResults", "results_per_page", "take", "rows", "top",
         "page[size]", "page[limit]", "pagesize", "first", "count")  # fmt: skip
PAGES = ("page", "_page", "page_number", "pageNumber", "page[number]", "p", "pageno", "pageIndex",
         "page_index", "currentPage")  # fmt: skip
OFFSETS = ("offset", "skip", "_start", "$skip", "start", "startIndex", "start_index",
           "page[offset]", "from", "_offset", "first")  # fmt: skip
CURSORS = ("cursor", "next", "after", "page_token", "pageToken", "next_token", "nextToken",
           "next_page_token", "next_cursor", "nextCursor", "token", "_next", "start_cursor",
           "marker", "continuation", "continuation_token", "continuationToken", "page_cursor",
           "page[cursor]", "page[after]", "starting_after", "start_after", "since_id", "last_id",
           "scroll_id", "page", "_page", "offset", "key", "bookmark")  # fmt: skip
LAST_ROWS = ("starting_after", "after", "start_after", "after_id", "since_id", "last_id", "cursor")
LARGEST_PAGES = (10_000, 5_000, 2_000, 1_000, 500, 200, 100)
HEAVIEST = 16_000_000  # bytes of one page
FAR = 1_000_000  # a page that nobody has
PATIENT = 20.0  # seconds for one page
MODEST = 100  # rows of a page, where no more than that could be proven
ROUND = {10, 20, 25, 30, 40, 50, 60, 100, 200, 250, 300, 500, 1_000, 2_000, 5_000, 10_000}
HUGE = 4_000_000  # bytes; an answer that is not asked for forty times
MORE = ("has_more", "hasMore", "more", "has_next", "hasNext")

Words = dict[str, Any]
Guess = Callable[[], Words | None]


class Styles:
    """Try an endpoint; made once for each."""

    def __init__(
        self,
        asker: Asker,
        url: str,
        params: Words,
        rows: str,
        first: Answer,
        names: Iterable[str] | None,
        known: list[Paging],
    ) -> None:
        """One endpoint, whose rows lie at `rows` of its `first` answer, without any paging.

        `names` are the parameters that it is said to take, None where nobody says; `known` is how
        other endpoints of the API are read, whose words are tried first.
        """
        self._asker, self._url, self._params, self._rows = asker, url, params, rows
        self._first = first
        self._names = None if names is None else set(names)
        self._known = known
        self._of_first = rows_of(first.body, rows)
        self._size: str | None = None
        self._small = self._of_first  # what a second page must differ from

    def find(self) -> Paging:
        """The way that proved itself, with pages as large as the server gives; or one page."""
        self._size = self._find_size()
        small = self._ask({self._size: SMALL if len(self._of_first) > SMALL else 1}) \
            if self._size else self._first  # fmt: skip
        self._small = rows_of(small.body, self._rows)
        paging = Paging(self._rows, {"type": "single_page"}, dict(self._params))
        paging.total = total_of(self._first) or total_of(small)
        style = next(filter(None, (guess() for guess in self._guesses(small))), None)
        if style is None:
            return self._one_page(paging)
        paging.paginator, paging.size_param = style, self._size
        if paging.total == total_of(small) == len(rows_of(small.body, self._rows)):
            paging.total = None  # it counts the page
        paging.found.append(f"paging {_words(style)}: proven by the second page")
        self._widen(paging)
        self._try_the_end(paging)
        return paging

    def _ask(self, more: Words) -> Answer:
        return self._asker.ask(self._url, {**self._params, **more})

    def _others(self, more: Words) -> bool:
        return brings_others(
            self._asker, self._url, {**self._params, **more}, self._rows, self._small
        )

    def _begins_the_same(self, more: Words) -> bool:
        found = rows_of(self._ask(more).body, self._rows)
        return bool(found) and found == self._of_first[: len(found)]

    def _candidates(self, usual: Iterable[str], key: str) -> list[str]:
        """The parameters to try: those that worked elsewhere, of those it is said to take."""
        usual = list(usual)
        worked = [each.size_param if key == "limit_param" else each.paginator.get(key)
                  for each in self._known]  # fmt: skip
        named = [name for name in dict.fromkeys(filter(None, worked)) if name in usual]
        if self._names is not None:
            return [name for name in [*named, *usual] if name in self._names]
        usual = usual[:6] if self._first.size > HUGE else usual
        return list(dict.fromkeys([*named, *usual]))

    def _find_size(self) -> str | None:
        have = len(self._of_first)
        wanted = SMALL if have > SMALL else 1
        if have < 2:  # noqa: PLR2004 - of one row, no part can be asked for
            return None
        for name in self._candidates(SIZES, "limit_param"):
            rows = rows_of(self._ask({name: wanted}).body, self._rows)
            if len(rows) == wanted and rows == self._of_first[:wanted]:
                return name
        return None

    def _guesses(self, small: Answer) -> Iterator[Guess]:
        """Ways to go on, the surest first; each is tried only when those before have failed."""
        rows = rows_of(small.body, self._rows)
        sized = {self._size: len(rows)} if self._size and rows else {}
        if url := small.links.get("next"):
            yield partial(self._leads_on, url, {"type": "header_link"})
        for path, value in next_in(small.body):
            if is_url(value):
                style = {"type": "json_link", "next_url_path": path}
                yield partial(self._leads_on, urljoin(small.url, value), style)
            elif value not in (None, "", False):
                yield partial(self._cursor, path, value, sized)
        if rows and (any(isinstance(small.body, dict) and name in small.body for name in MORE)
                     or (self._names and set(LAST_ROWS) & self._names)):  # fmt: skip
            yield partial(self._last_row, small.body, rows[-1], sized)
        yield partial(self._page_number, sized)
        yield partial(self._offset, len(rows), sized)

    def _leads_on(self, url: str, style: dict[str, Any]) -> dict[str, Any] | None:
        others = brings_others(self._asker, url, {}, self._rows, self._small)
        return style if others else None

    def _cursor(self, path: str, value: Any, sized: Words) -> dict[str, Any] | None:
        for name in self._candidates(CURSORS, "cursor_param"):
            if self._others({**sized, name: value}):
                return {"type": "cursor", "cursor_path": path, "cursor_param": name}
        return None

    def _last_row(self, body: Any, last: Words, sized: Words) -> dict[str, Any] | None:
        more = next((name for name in MORE if isinstance(body, dict) and name in body), None)
        at = f"{'$' if self._rows == '$' else self._rows}[-1].id"
        for name in self._candidates(LAST_ROWS, "cursor_param"):
            if last.get("id") is not None and self._others({**sized, name: last["id"]}):
                end: dict[str, Any] = (
                    {"has_more_path": more} if more else {"stop_after_empty_page": True}
                )
                return {"type": "cursor", "cursor_path": at, "cursor_param": name, **end}
        return None

    def _page_number(self, sized: Words) -> dict[str, Any] | None:
        for name in self._candidates(PAGES, "page_param"):
            if not self._others({**sized, name: 2}):
                continue
            for base in (1, 0):
                if self._begins_the_same({**sized, name: base}):
                    if self._others({**sized, name: base + 1}):
                        return {"type": "page_number", "base_page": base, "page_param": name,
                                "total_path": None}  # fmt: skip
                    break
        return None

    def _offset(self, step: int, sized: Words) -> dict[str, Any] | None:
        for name in self._candidates(OFFSETS, "offset_param") if step else ():
            if name != self._size and self._others({**sized, name: step}) \
                    and self._begins_the_same({**sized, name: 0}):  # fmt: skip
                return {"type": "offset", "limit": step, "offset_param": name,
                        "limit_param": self._size or "limit", "total_path": None}  # fmt: skip
        return None

    def _widen(self, paging: Paging) -> None:
        """Make the pages as large as the server takes them."""
        if not self._size:
            return
        style = paging.paginator
        given = (self._given(style, wanted) for wanted in LARGEST_PAGES)
        size = next(filter(None, given), min(MODEST, max(len(self._of_first), SMALL)))
        if paging.paginator["type"] == "offset":
            paging.paginator["limit"] = size
        else:
            paging.params[self._size] = size
        paging.found.append(f"{size:,} rows in a page, by {self._size}: as many as it gives")

    def _given(self, style: dict[str, Any], wanted: int) -> int | None:
        """How many rows a page may hold when so many are asked for; None: ask for fewer."""
        answer = self._ask({self._size or "": wanted})
        given = len(rows_of(answer.body, self._rows))
        if not given or answer.size > HEAVIEST or answer.seconds > PATIENT:
            return None
        # fewer than asked for: the server's limit, or all there are; then no limit was seen
        return given if given == wanted or self._goes_on(style, answer, given) else None

    def _goes_on(self, style: dict[str, Any], answer: Answer, given: int) -> bool:
        sized = {self._size or "": given}
        if style["type"] == "page_number":
            return self._others({**sized, style["page_param"]: style["base_page"] + 1})
        if style["type"] == "offset":
            return self._others({**sized, style["offset_param"]: given})
        return bool(answer.links.get("next")) or any(value for _, value in next_in(answer.body))

    def _try_the_end(self, paging: Paging) -> None:
        """What comes after the last page must be an empty one, or be known beforehand."""
        style = paging.paginator
        name = style.get("page_param") or style.get("offset_param")
        if not name:
            return
        beyond = self._ask({name: FAR * (paging.paginator.get("limit") or 1)})
        if isinstance(beyond.body, dict | list) and not rows_of(beyond.body, self._rows):
            return
        path, _ = find_total_pages_path(self._first.body)
        if path and style["type"] == "page_number":
            style["total_path"] = ".".join(path)
        elif more := next((n for n in MORE if isinstance(self._first.body, dict)
                           and isinstance(self._first.body.get(n), bool)), None):  # fmt: skip
            style["has_more_path"] = more
        else:
            paging.doubts.append(
                f"beyond the last page it answers {beyond.status} and no empty list: a load may "
                "stop there with an error; give total_path or maximum_page in ENDPOINTS"
            )

    def _one_page(self, paging: Paging) -> Paging:
        have = len(self._of_first)
        if like := next((each for each in self._known if self._is_like(each)), None):
            same = replace(like, total=paging.total, found=[], doubts=[])
            same.doubts.append(f"too few rows to see how it goes on: read "
                               f"{_words(like.paginator)}, as the others are")  # fmt: skip
            return same
        if self._says_more():
            paging.doubts.append(f"it says there is more than {have:,} rows, and no way there "
                                 "was found")  # fmt: skip
        elif paging.total is not None and paging.total > have:
            paging.doubts.append(f"it says {paging.total:,} rows, and gives {have:,}: "
                                 "no way to the others was found")  # fmt: skip
        elif have in ROUND:
            paging.doubts.append(f"exactly {have:,} rows and no way to go on: are these all?")
        else:
            paging.found.append(f"one answer with all {have:,} rows")
        return paging

    def _is_like(self, other: Paging) -> bool:
        """Whether a list too short to be paged has the envelope of one that was."""
        path = other.paginator.get("next_url_path") or other.paginator.get("cursor_path")
        if not path or len(self._of_first) >= MODEST or self._rows != other.rows:
            return False
        return not self._says_more() and bool(jsonpath.find_values(path, self._first.body))

    def _says_more(self) -> bool:
        body = self._first.body
        return isinstance(body, dict) and any(body.get(name) is True for name in MORE)


def _words(style: dict[str, Any]) -> str:
    """A way to go on, in words."""
    return {
        "header_link": "by the Link header",
        "json_link": f"by the URL in {style.get('next_url_path')}",
        "cursor": f"by {style.get('cursor_param')}, as {style.get('cursor_path')} says",
        "page_number": f"by {style.get('page_param')}, from {style.get('base_page')}",
        "offset": f"by {style.get('offset_param')}",
        "single_page": "not at all",
    }[style["type"]]
