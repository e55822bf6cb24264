"""Rows to judge by: of the first pages, and of the middle and the end where one can go there."""

from typing import Any
from urllib.parse import urljoin

from dlt.common import jsonpath

from ingestion.probe.asking import Answer, Asker
from ingestion.probe.paging import Paging, Row, rows_of


def sample(asker: Asker, url: str, paging: Paging, wanted: int) -> tuple[list[Row], bool]:
    """Some `wanted` rows, of pages all over where pages have numbers; and whether it is all."""
    first = asker.ask(url, paging.params | _at(paging, 0))
    rows = rows_of(first.body, paging.rows)
    step, most = len(rows), max(asker.limit // 10, 3)  # other tables want to be looked at too
    pages = -(-paging.total // step) if paging.total and step else 0
    if paging.paginator["type"] in ("page_number", "offset") and pages:
        numbers = _spread(pages, min(max(wanted // step, 3), most))
        for number in numbers:
            answer = asker.ask(url, paging.params | _at(paging, number))
            rows += rows_of(answer.body, paging.rows)
        return rows, len(numbers) == pages - 1
    answer, number, previous = first, 0, rows[:]
    while len(rows) < wanted and number < most:
        number += 1
        following = _next(asker, url, paging, answer, number)
        found = rows_of(following.body, paging.rows) if following else []
        if not found or following is None or found == previous:  # or the last one once more
            return rows, True
        rows += found
        answer, previous = following, found
    return rows, False


def _spread(pages: int, number: int) -> list[int]:
    """Which pages after the first one to read: evenly over all, the last one included."""
    if pages <= number:
        return list(range(1, pages))
    return sorted({round(n * (pages - 1) / (number - 1)) for n in range(1, number)})


def _at(paging: Paging, number: int) -> dict[str, Any]:
    """What asks for the page of this number, counted from 0."""
    style = paging.paginator
    if style["type"] == "page_number":
        return {style["page_param"]: style["base_page"] + number}
    if style["type"] == "offset":
        size = style["limit"]
        return {style["offset_param"]: number * size, style["limit_param"]: size}
    return {}


def _next(asker: Asker, url: str, paging: Paging, answer: Answer, number: int) -> Answer | None:
    """The page after this one; None after the last."""
    style = paging.paginator
    if style["type"] in ("page_number", "offset"):
        return asker.ask(url, paging.params | _at(paging, number))
    if style["type"] == "header_link":
        return asker.ask(answer.links["next"]) if "next" in answer.links else None
    if style["type"] == "single_page":
        return None
    found = jsonpath.find_values(
        style["next_url_path" if style["type"] == "json_link" else "cursor_path"], answer.body
    )
    if not found or not found[0]:
        return None
    if style["type"] == "json_link":
        return asker.ask(urljoin(answer.url, found[0]))
    return asker.ask(url, paging.params | {style["cursor_param"]: found[0]})
