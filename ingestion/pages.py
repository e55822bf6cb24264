"""Fetch the pages of an endpoint as rows of raw JSON, with dlt's RESTClient doing the HTTP.

dlt pages, authenticates, retries with back-off and honours Retry-After. Two things are added:
a page is cut into rows without making Python objects of it, and an answer that is no page of
rows (HTML, truncated JSON, the page before once more) counts as a fault worth another try.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
from dlt.sources.helpers.requests.retry import (
    DEFAULT_RETRY_EXCEPTIONS,
    DEFAULT_RETRY_STATUS,
    Client,
)
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.exceptions import IgnoreResponseException
from dlt.sources.helpers.rest_client.paginators import BasePaginator, HeaderLinkPaginator
from requests import PreparedRequest, Request, Response
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException, Timeout
from requests.exceptions import ConnectionError as NoConnection

from ingestion.errors import SourceFailed, WrongSetting

STEP = re.compile(r"[^\s.$\[\]'\"]+")  # of a path such as $.data.items or [1]
PAGE = "_page"  # the column of raw: on which page a row came; null if from the quarantine
_list = msgspec.json.Decoder(list[msgspec.Raw] | None)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

# status -> what it means and what to do; any other status gets the general sentence
ADVICE = {
    401: "it wants credentials, or refuses ours: set them in the environment (see docs/sources.md)",
    403: "our credentials do not allow this: ask the API's owner for access",
    404: "there is nothing at this address: check the base URL and its path, such as /api/v1",
    429: "it still asks us to slow down: try later, or raise RUNTIME__REQUEST_MAX_ATTEMPTS",
}
REFUSED = "it will not take this request: check the base URL and the settings of the source"


@dataclass(frozen=True)
class Page:
    """One page: `rows` are the JSON objects as bytes; `number` counts from 1."""

    resource: str
    number: int
    url: str
    rows: list[msgspec.Raw]


class Observer(Protocol):
    """Whoever wants to know what comes in."""

    def page(self, page: Page) -> None:
        """A page was fetched."""

    def retry(self, fault: str) -> None:
        """A request failed in a way that is worth another try."""

    def enough(self, page: Page) -> bool:
        """Whether no page after this one is wanted, as for a recording."""


class PageClient(RESTClient):
    """A RESTClient whose pages are lists of raw JSON rows; one for each walk of an endpoint."""

    def __init__(
        self,
        base_url: str,
        observer: Observer | None = None,
        auth: AuthBase | None = None,
        paginator: BasePaginator | None = None,
        rows: str = "$",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Page through `base_url`; retries follow dlt's [runtime] settings.

        Args:
            base_url: a login in it goes into the Authorization header, unless `auth` is given.
            observer: told of each page and each fault.
            auth: one of dlt's.
            paginator: one of dlt's; by the Link header, if none is given.
            rows: where in an answer the list of rows is, such as `data.items` or `[1]`.
            headers: that go along with each request.

        Raises:
            WrongSetting: the base URL is no http address.
        """
        url, login = _split_login(base_url)
        self._rows = STEP.findall(rows)
        # of the auth: another host shall not be told, and where it stands in a URL, nobody
        self._host = urlsplit(url).netloc if auth or login or headers else None
        self._secret = getattr(auth, "name", "").lower()
        self._seen: dict[int, str] = {}  # the hash of a page's URL and of its rows -> its URL
        self._judged: tuple[Response, list[msgspec.Raw], str | None] | None = None
        self._observer = observer
        self._asked_for = ""  # which page is being fetched, such as "orders, page 2"
        # no rules but ours: dlt asks ours only when its own say no, and we would miss faults
        client = Client(status_codes=(), exceptions=(), retry_condition=self._is_worth_another_try)
        client.configure()
        super().__init__(
            url,
            dict(headers or {}),
            auth=auth or login,
            paginator=paginator or HeaderLinkPaginator(),
            session=client.session,
        )

    def pages(self, resource: str, path: str, params: dict[str, Any]) -> Iterator[Page]:
        """The pages of an endpoint, one request at a time: kind to a slow peer.

        Raises:
            SourceFailed: the API failed for good; the sentence says where and what to do.
        """
        number = 0
        self._asked_for = f"{resource}, page 1"
        url = self._shown(f"{(self.base_url or '').rstrip('/')}/{path}")
        try:
            for page in self.paginate(path, params=params, data_selector="$"):
                number += 1
                url = self._shown(page.response.request.url)
                fetched = Page(resource, number, url, page)
                if self._observer:
                    self._observer.page(fetched)
                self._asked_for = f"{resource}, page {number + 1}"
                yield fetched
                if self._observer and self._observer.enough(fetched):
                    return
        except RequestException as error:
            # a connection that breaks in mid-body does not say which request it answered
            asked = isinstance(error.request, PreparedRequest) and self._shown(error.request.url)
            where = asked or (f"after {url}" if number else url)
            raise SourceFailed(
                f"{self._asked_for} ({where}): {_explain(error)}. Nothing of it was loaded."
            ) from error
        except ValueError:  # of a paginator; its words quote the whole answer
            raise SourceFailed(
                f"{self._asked_for} ({url}): its answer does not say how to go on as the paginator "
                f"{type(self.paginator).__name__} expects: check its paths. Nothing of it was "
                "loaded."
            ) from None

    def extract_response(self, response: Response, data_selector: Any) -> list[Any]:
        """The rows of an answer; called by RESTClient once the retries are over."""
        rows, fault = self._judge(response)
        if fault:
            raise _NoPage(fault, request=response.request, response=response)
        url = str(response.request.url)
        self._seen[hash(url)] = self._seen[_mark(rows)] = self._shown(url)
        # for dlt's paginators: its own is slow, and rounds
        response.json = partial(msgspec.json.decode, response.content)  # type: ignore[method-assign]
        return rows

    def _send_request(self, request: Request, **kwargs: Any) -> Response:
        """Send what RESTClient has made; a next page may be said to be anywhere.

        Raises:
            SourceFailed: it is on a host that was not meant to get our credentials.
        """
        if not request.url:
            raise IgnoreResponseException  # a next page of "" or false is none
        request.url = _as_safe(str(request.url), str(self.base_url))
        host = urlsplit(request.url).netloc.rpartition("@")[2]
        if self._host and host != self._host:
            raise SourceFailed(
                f"{self._asked_for}: the next page is said to be on {host}, which shall not get "
                f"the credentials for {self._host}: check the base URL. Nothing of it was loaded."
            )
        return super()._send_request(request, **kwargs)

    def _shown(self, url: str | None) -> str:
        return plain_url(url, self._secret)

    def _is_worth_another_try(self, response: Response | None, error: BaseException | None) -> bool:
        fault = None
        if isinstance(error, HTTPError) and error.response is not None:
            status = error.response.status_code
            fault = f"HTTP {status}" if status in DEFAULT_RETRY_STATUS else None
        elif isinstance(error, DEFAULT_RETRY_EXCEPTIONS):
            fault = type(error).__name__
        elif response is not None and response.ok:
            fault = self._judge(response)[1]
        if fault and self._observer:
            self._observer.retry(f"{self._asked_for}: {fault}")
        return fault is not None

    def _judge(self, response: Response) -> tuple[list[msgspec.Raw], str | None]:
        """The rows of a successful answer, or what makes it no page of rows; judged once."""
        if self._judged is None or self._judged[0] is not response:
            self._judged = (response, *self._cut(response))
        return self._judged[1:]

    def _cut(self, response: Response) -> tuple[list[msgspec.Raw], str | None]:
        body = response.content
        try:
            rows = _find_rows(body, self._rows)
            if not body.isascii():
                body.decode()  # the decoder leaves what is inside the rows to others
        except (msgspec.MsgspecError, UnicodeDecodeError, LookupError) as error:
            kind = response.headers.get("Content-Type", "no content type").split(";")[0]
            if body.lstrip()[:1] == b"<":
                return [], f"it answered with a web page ({kind}), not JSON: check the base URL"
            missing = f"nothing at {error}" if isinstance(error, LookupError) else str(error)
            what = f"{missing}; {len(body)} bytes of {kind}"
            return [], f"its JSON is broken or no list ({what}): try later, or tell its owner"
        # a page is noted once it is taken, so the retry of a request never finds itself here
        url = str(response.request.url)
        if hash(url) in self._seen:
            shown = self._shown(url)
            return [], f"its pages go round in a circle: the next one is {shown} again"
        if rows and _mark(rows) in self._seen:
            earlier = self._seen[_mark(rows)]
            return [], f"it sent the same page twice (as {earlier}), so rows would be missing"
        return rows, None


def _mark(rows: list[msgspec.Raw]) -> int:
    """A hash of the rows alone: the envelope of a page that came twice has another cursor."""
    return hash(b"".join(rows))


def _find_rows(body: bytes, steps: list[str]) -> list[msgspec.Raw]:
    """The list at the end of these steps; null is an empty one where an object says so."""
    part: Any = body
    for step in steps:
        if step.isdecimal():
            part = (_list.decode(part) or [])[int(step)]
        else:
            part = _object.decode(part)[step]
    rows = _list.decode(part)
    if rows is None and not steps:
        raise msgspec.ValidationError("Expected `array`, got `null`")
    return rows or []


class _NoPage(RequestException):
    """An answer that is no page of rows; its words are ours."""


def _split_login(base_url: str) -> tuple[str, HTTPBasicAuth | None]:
    """The URL and the login that stood in it: errors and traces quote URLs, but no headers."""
    try:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no host")
    except ValueError:
        shown = plain_url(base_url) or "(empty)"
        raise WrongSetting(
            f"{shown} is no address such as https://host/api/v1: check the base URL. "
            "Nothing was loaded."
        ) from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return url, HTTPBasicAuth(user, password) if user or password else None


def _as_safe(url: str, base_url: str) -> str:
    """The URL with https where the base has it: behind a proxy an API may not know of it."""
    asked, base = urlsplit(url), urlsplit(base_url)
    downgraded = asked.netloc == base.netloc and (asked.scheme, base.scheme) == ("http", "https")
    return asked._replace(scheme="https").geturl() if downgraded else url


def plain_url(url: str | None, secret: str = "") -> str:
    """The URL without a user, password or token in it, nor the parameter of the name `secret`."""
    scheme, colon, rest = (url or "").rpartition("://")
    host, slash, path = rest.partition("/")
    path, question, query = path.partition("?")
    named = [(part, unquote(part.partition("=")[0]).lower()) for part in query.split("&")]
    kept = "&".join(part for part, name in named if name != secret and not _is_secret(name))
    return f"{scheme}{colon}{host.rpartition('@')[2]}{slash}{path}{question if kept else ''}{kept}"


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("key", "token", "secret", "password", "signature"))


def _explain(error: RequestException) -> str:
    if isinstance(error, HTTPError) and error.response is not None:
        status = error.response.status_code
        advice = "it failed on every try: try later" if status in DEFAULT_RETRY_STATUS else REFUSED
        return f"the API answered {status}: {ADVICE.get(status, advice)}"
    if isinstance(error, Timeout):
        return "the API did not answer in time: try later, or raise RUNTIME__REQUEST_TIMEOUT"
    if isinstance(error, NoConnection | ChunkedEncodingError):
        return "the API cannot be reached, or it hung up: check the base URL and the network"
    if isinstance(error, _NoPage):
        return f"the API misbehaved: {error}"
    # no words of others here: they may quote the URL with its password
    return f"no request can be made of it ({type(error).__name__}): check the base URL"
