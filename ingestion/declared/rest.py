"""Sources of REST APIs that are data, not code: an `Endpoint` for each table.

Paginators and auth are dlt's, in the words of its `rest_api` source. Rows go through `shape.py`
before their contract sees them. Without a cursor an endpoint is a full snapshot on each load.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dlt.sources import DltResource
from dlt.sources.helpers.rest_client.paginators import RangePaginator
from dlt.sources.rest_api.config_setup import create_auth, create_paginator
from requests.auth import AuthBase

from ingestion.contract import Contract
from ingestion.declared.cursor import Cursor, log_or_snapshot
from ingestion.errors import WrongSetting
from ingestion.intake import Intake
from ingestion.pages import Observer, Page, PageClient

Words = Mapping[str, Any]  # as dlt's rest_api has them


@dataclass(frozen=True)
class Endpoint:
    """Where the rows of one table are.

    `rows` is the path of their list in an answer, such as `data.items` or `[1]`; `paginator` and
    `params` are as in dlt's rest_api: `{"type": "offset", "limit": 1000}`, `"header_link"`.
    """

    contract: Contract
    path: str
    rows: str = "$"
    paginator: Words | str = "single_page"
    params: Words = field(default_factory=dict)
    cursor: Cursor | None = None


def rest_resources(
    endpoints: Sequence[Endpoint],
    base_url: str,
    auth: Words | AuthBase | None,
    intake: Intake,
    headers: Mapping[str, str] | None = None,
) -> list[DltResource]:
    """The dlt resources of these endpoints.

    Args:
        endpoints: what to load.
        base_url: where the API is; a path of an endpoint is relative to it. Without one nothing
            is asked, and the tables of a first load are there and empty.
        auth: as in dlt's rest_api: `{"type": "bearer", "token": api_token}`, or one of
            `api_key`, `http_basic`, `oauth2_client_credentials`. Secrets come to the source
            function as arguments with `dlt.secrets.value`, so from the environment.
        intake: of this load.
        headers: that go along with each request, such as the API's version.

    Raises:
        WrongSetting: a paginator, an auth or a cursor that cannot be; a window of days where no
            endpoint has days.
    """
    login = make_auth(auth)
    return [_resource(endpoint, base_url, login, intake, headers) for endpoint in endpoints]


def rest_pages(
    endpoint: Endpoint,
    base_url: str,
    auth: Words | AuthBase | None = None,
    observer: Observer | None = None,
    since: date | int | None = None,
    until: date | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Page]:
    """The pages of one endpoint as the API sends them, from its cursor's value `since` on.

    Raises:
        SourceFailed: the API failed for good; the sentence says where and what to do.
        WrongSetting: a paginator or an auth that cannot be, or a base URL that is none.
    """
    asked = endpoint.cursor.params(since, until) if endpoint.cursor else {}
    client = PageClient(
        base_url, observer, make_auth(auth), _paginator(endpoint), endpoint.rows, headers
    )
    return client.pages(endpoint.contract.table, endpoint.path, {**endpoint.params, **asked})


def make_auth(words: Words | AuthBase | None) -> AuthBase | None:
    """dlt's auth of these words.

    Raises:
        WrongSetting: there is no such type, or it lacks something; no secret is quoted.
    """
    if words is None or isinstance(words, AuthBase):
        return words
    try:
        return create_auth(dict(words))  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError) as error:
        lacks = f"lacks or has something that it should not ({type(error).__name__})"
        raise WrongSetting(
            f"The auth {words.get('type')!r} {lacks}: see dlt's rest_api for its words."
        ) from None


def _resource(
    endpoint: Endpoint,
    base_url: str,
    auth: AuthBase | None,
    intake: Intake,
    headers: Mapping[str, str] | None,
) -> DltResource:
    paginator = _paginator(endpoint)  # wrong ones are told before anything is asked

    def fetch(
        _table: str, since: date | int | None = None, until: date | None = None
    ) -> Iterator[Page]:
        if not base_url:
            return iter([Page(endpoint.contract.table, 1, "", [])])
        return rest_pages(endpoint, base_url, auth, intake.observer, since, until, headers)

    counted = isinstance(paginator, RangePaginator)
    return log_or_snapshot(endpoint.contract, fetch, intake, endpoint.cursor, twice=counted)


def _paginator(endpoint: Endpoint) -> Any:
    """A new one: it keeps where it is."""
    words = endpoint.paginator
    try:
        made = create_paginator(words if isinstance(words, str) else dict(words))  # type: ignore[arg-type]
        if made is None:
            raise ValueError("it must be named, not guessed at each load")
    except (ValueError, TypeError) as error:
        said = str(error).splitlines()[0]
        raise WrongSetting(
            f"{endpoint.contract.table}: the paginator {words!r} cannot be: {said}"
        ) from error
    return made
