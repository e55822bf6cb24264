"""Ask an API politely: one request at a time, Retry-After honoured, never more than a limit."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.exceptions import RequestException
from urllib3.util.retry import Retry

from ingestion.errors import SourceFailed, WrongSetting

PATIENCE = 60  # seconds for one answer
BUSY = (429, 500, 502, 503, 504)
AUTH_WORDS = "bearer, api_key:NAME, api_key:NAME:query, basic or oauth2:TOKEN_URL"


class NoMoreRequests(WrongSetting):
    """As many as allowed were made."""


class Number(str):
    """A number of the JSON, in the words of the API: as a float it would lose some of them."""

    __slots__ = ()


@dataclass(frozen=True)
class Answer:
    """An answer in JSON. `body` is None when it was no JSON, or no success."""

    url: str
    status: int
    body: Any
    headers: dict[str, str]
    links: dict[str, str]  # rel of a Link header -> its URL
    size: int  # bytes
    seconds: float


class Asker:
    """One API, asked with one login; `asked` counts the requests."""

    def __init__(
        self, auth: AuthBase | None, limit: int, tell: Callable[[str], None] = lambda said: None
    ) -> None:
        """Ask at most `limit` times; `tell` hears of each request, without its query's secrets."""
        retry = Retry(
            total=4, connect=1, backoff_factor=0.5, status_forcelist=BUSY, raise_on_status=False
        )
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(max_retries=retry))
        self._session.mount("https://", HTTPAdapter(max_retries=retry))
        self._session.auth = auth
        self._session.headers["Accept"] = "application/json, */*;q=0.5"
        self.limit = limit
        self._tell = tell
        self._known: dict[str, Answer] = {}
        self.asked = 0

    def ask(self, url: str, params: dict[str, Any] | None = None) -> Answer:
        """The answer to a GET; the same question is asked once.

        Raises:
            SourceFailed: nobody answers, or it wants to know who we are.
            WrongSetting: the limit of requests is reached, or the URL is none.
        """
        prepared = requests.Request("GET", url, params=params or None).prepare().url or url
        if prepared not in self._known:
            self._known[prepared] = self._ask(prepared)
        return self._known[prepared]

    def _ask(self, url: str) -> Answer:
        if self.asked >= self.limit:
            raise NoMoreRequests(
                f"{self.limit} requests were not enough to know this API: raise --requests, "
                "or name what you want by --resource."
            )
        self.asked += 1
        self._tell(f"request {self.asked}")
        try:
            response = self._session.get(url, timeout=PATIENCE)
        except RequestException as error:
            where = url.partition("?")[0]
            raise SourceFailed(
                f"{where} cannot be asked ({type(error).__name__}): check --url and the network."
            ) from None
        if response.status_code in (401, 403):
            raise SourceFailed(self._refused(response))
        links = {rel: urljoin(url, link["url"]) for rel, link in response.links.items()}
        return Answer(
            url, response.status_code, _read(response) if response.ok else None,
            {name.lower(): value for name, value in response.headers.items()},
            links, len(response.content), response.elapsed.total_seconds(),
        )  # fmt: skip

    def _refused(self, response: requests.Response) -> str:
        wants = response.headers.get("WWW-Authenticate", "").split(" ")[0].lower()
        advice = {"basic": "--auth basic", "bearer": "--auth bearer"}.get(wants)
        where = response.url.partition("?")[0]
        if self._session.auth:
            return f"{where} answered {response.status_code} to our credentials: check them."
        named = f"It asks for {advice}." if advice else f"Give --auth: {AUTH_WORDS}."
        return f"{where} answered {response.status_code}: it wants to know who asks. {named}"


def _read(response: requests.Response) -> Any:
    try:
        return json.loads(response.content, parse_float=Number)
    except (ValueError, RecursionError):
        return None
