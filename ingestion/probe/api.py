"""Look at an HTTP API: which lists it has, and how each is read, keyed and typed."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

from requests.auth import AuthBase

from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe import openapi
from ingestion.probe.asking import Answer, Asker, NoMoreRequests
from ingestion.probe.contracts import draw
from ingestion.probe.found import Found, Resource, Wish
from ingestion.probe.openapi import Listed
from ingestion.probe.paging import Paging, declared_key, is_url, rows_of, where_rows_are
from ingestion.probe.sample import sample
from ingestion.probe.shapes import normal
from ingestion.probe.since import find_since
from ingestion.probe.styles import Styles

Tell = Callable[[str], None]
AS_OBJECTS = ({"_shape": "objects"}, {"format": "json"}, {"f": "json"}, {"_format": "json"})
LEADS = {"url", "href"}
ENTRY = LEADS | {"name", "kind", "title", "rel", "description", "method", "type"}
NAMELESS = {"rows", "records", "results", "data", "list", "all"}  # ends of a path: /orders/rows
MOST_LINKS = 200  # of an index; more is a list of something else


def look_at_api(wish: Wish, auth: AuthBase | None, tell: Tell) -> Found:
    """What the API is.

    Raises:
        SourceFailed: it cannot be asked, refuses us, or has no list that could be found.
        WrongSetting: what was asked for cannot be.
    """
    asker = Asker(auth, wish.requests, tell)
    base, params = _split(wish.url)
    described = openapi.read_description(asker, wish.openapi) if wish.openapi else None
    base, listed = _lists(asker, base, params, wish, described)
    found = Found("rest", base, [])
    known: list[Paging] = []
    tables = _tables(each.path for each in listed)
    for each in listed:
        tell(each.path)
        table = tables[each.path]
        try:
            resource = _look_at(asker, base, params, each, table, known, wish.sample)
        except NoMoreRequests as error:
            if not found.resources:
                raise
            resource = f"{each.path}: not looked at to the end: {error}"
        if isinstance(resource, Resource):
            found.resources.append(resource)
        else:
            found.doubts.append(resource)
    if not found.resources:
        tried = "; ".join(found.doubts) or "it answers with no list of objects, nor links to any"
        raise SourceFailed(f"{base}: {tried}. Name one by --resource PATH, or give --openapi.")
    found.requests = asker.asked
    return found


def _lists(
    asker: Asker, base: str, params: dict[str, str], wish: Wish, described: dict[str, Any] | None
) -> tuple[str, list[Listed]]:
    """The base URL, and the endpoints under it that are to be looked at."""
    if wish.resources:
        described = described or openapi.look_for_description(asker, base)
        said = _by_url(base, described)
        return base, [
            said.get(_join(base, path), Listed(path.strip())) for path in wish.resources
        ]  # fmt: skip
    if described is None:
        first = asker.ask(base, params)
        if openapi.is_description(first.body):
            described = first.body
        elif not _entries(first.body) and _rows_and_params(asker, base, params, first):
            said = _by_url(base, openapi.look_for_description(asker, base))
            above, _, last = base.rstrip("/").rpartition("/")
            one = said.get(base.rstrip("/"), Listed(last))
            return above, [Listed(last + "/" * base.endswith("/"), one.params, one.said)]
        elif links := _links(first, base):
            said = _by_url(base, openapi.look_for_description(asker, base))
            return base, [said.get(link, Listed(_below(base, link))) for link in links]
        else:
            described = openapi.look_for_description(asker, base)
    listed = list(_by_url(base, described).values())
    return base, listed


def _by_url(base: str, description: dict[str, Any] | None) -> dict[str, Listed]:
    """The lists of a description by their URL, as far as they lie under the base."""
    if description is None:
        return {}
    parts = urlsplit(base)
    root = f"{parts.scheme}://{parts.netloc}"
    found = {}
    for each in openapi.lists_of(description):
        url = f"{root}{openapi.prefix_of(description)}{each.path}"
        if url.startswith(base.rstrip("/")):
            relative = url.removeprefix(base.rstrip("/")).lstrip("/")
            found[url.rstrip("/")] = Listed(relative, each.params, each.said)
    return {url: each for url, each in found.items() if each.path}


def _links(answer: Answer, base: str) -> list[str]:
    """The URLs that an index leads to: HAL's `_links`, names with their URLs, OData's entries."""
    body = answer.body
    if isinstance(body, dict):
        body = body.get("_links", body.get("links", _entries(body) or body))
    values = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    urls = [
        each.get("href", each.get("url")) if isinstance(each, dict) else each for each in values
    ]
    named = [url for url in urls if is_url(url) or (isinstance(url, str) and _entries(body))]
    top = base.rstrip("/")
    full = [urljoin(f"{top}/", str(url).partition("{")[0]) for url in named]
    under = [url for url in full if url.startswith(f"{top}/") and url.rstrip("/") != top]
    return list(dict.fromkeys(under))[:MOST_LINKS]


def _entries(body: Any) -> list[dict[str, Any]]:
    """The list in an answer whose objects say nothing but what is called how, and where it is."""
    at = where_rows_are(body)
    rows = rows_of(body, at) if at else []
    return rows if rows and all(row.keys() <= ENTRY and row.keys() & LEADS for row in rows) else []


def _look_at(
    asker: Asker, base: str, params: dict[str, Any], listed: Listed, table: str,
    known: list[Paging], wanted: int,
) -> Resource | str:  # fmt: skip
    """One endpoint; a sentence when it is no list of rows."""
    url, own = _split(_join(base, listed.path))
    params, path = params | own, _below(base, url)
    first = asker.ask(url, params)
    answered = _rows_and_params(asker, url, params, first)
    if answered is None:
        return f"{path}: no list of objects (HTTP {first.status})"
    at, params, first = answered
    if not rows_of(first.body, at):
        return f"{path}: no rows now, so nothing can be said of its columns"
    names = listed.params or None
    paging = Styles(asker, url, params, at, first, names, known).find()
    if paging.paginator["type"] != "single_page":
        known.append(paging)
    rows, all_of_them = sample(asker, url, paging, wanted)
    key = tuple(map(normal, declared_key(first.body)))
    drawn = draw(table, rows, replace(listed.said, key=key or listed.said.key, whole=all_of_them))
    since, why = find_since(asker, url, paging, drawn, names)
    return Resource(
        drawn.contract, path, at, paging.paginator, paging.params, since, len(rows), paging.total,
        [*paging.found, *drawn.found, why], [*paging.doubts, *drawn.doubts],
    )  # fmt: skip


def _rows_and_params(
    asker: Asker, url: str, params: dict[str, str], first: Answer
) -> tuple[str, dict[str, Any], Answer] | None:
    """Where the rows lie, with which parameters; rows that are bare lists are asked for anew."""
    at = where_rows_are(first.body)
    if at is not None:
        return at, params, first
    if where_rows_are(first.body, bare=True) is None:
        return None
    for shape in AS_OBJECTS:
        answer = asker.ask(url, {**params, **shape})
        if (at := where_rows_are(answer.body)) and rows_of(answer.body, at):
            return at, {**params, **shape}, answer
    return None


def _split(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its query, and the query.

    Raises:
        WrongSetting: a login stands in it, which would be written into a file.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise WrongSetting("Leave the login out of --url, and give --auth basic.")
    return urlunsplit(parts._replace(query="", fragment="")), dict(parse_qsl(parts.query))


def _join(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path.lstrip('/')}"


def _below(base: str, url: str) -> str:
    return url.removeprefix(base.rstrip("/")).lstrip("/")


def _tables(paths: Iterable[str]) -> dict[str, str]:
    """A table for each path: the last part that is a name, or all where two would have the same."""
    tables: dict[str, str] = {}
    for path in paths:
        parts = path.partition("?")[0].strip("/").split("/")
        parts[-1] = parts[-1].removesuffix(".json").removesuffix(".jsonld")
        parts = parts[:-1] or parts if parts[-1] in NAMELESS else parts
        name = normal(parts[-1]).strip("_") or "rows"
        tables[path] = normal("_".join(parts)) if name in tables.values() else name
    return tables
