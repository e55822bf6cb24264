"""The Jaffle Shop: orders with their items by cursor, everything else as a snapshot."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.sources import DltResource
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth

from ingestion.errors import WrongSetting
from ingestion.intake import Intake
from ingestion.pages import Page, PageClient
from ingestion.resources import cursor_resource, snapshot_resource
from ingestion.sources.jaffle_shop.contract import ITEMS, ORDERS, SNAPSHOTS


@dlt.source(name="jaffle_shop", max_table_nesting=0)
def jaffle_shop(
    intake: Intake,
    base_url: str = dlt.config.value,
    page_size: int = dlt.config.value,
    lookback_days: int = dlt.config.value,
    api_token: TSecretStrValue | None = None,
) -> list[DltResource]:
    """The six resources of the API at `base_url`, such as `https://host/api/v1`.

    Args:
        intake: of this load.
        base_url: where the API is.
        page_size: rows in one page.
        lookback_days: how far before the newest known order the next load starts again, so that
            orders which arrive late are seen. Whole days.
        api_token: sent as a bearer token where the API wants one; the public one does not.

    Raises:
        WrongSetting: a page without rows, or a look-back into the future.
    """
    if page_size < 1:
        raise WrongSetting(f"SOURCES__JAFFLE_SHOP__PAGE_SIZE is {page_size}: give 1 or more.")
    if lookback_days < 0:
        raise WrongSetting(
            f"SOURCES__JAFFLE_SHOP__LOOKBACK_DAYS is {lookback_days}: give 0 or more."
        )

    def fetch(
        endpoint: str, since: date | None = None, until: date | None = None
    ) -> Iterator[Page]:
        params: dict[str, Any] = {"page_size": page_size}
        if since:
            params["start_date"] = since.isoformat()
        if until:
            params["end_date"] = until.isoformat()
        auth = BearerTokenAuth(api_token) if api_token else None
        return PageClient(base_url, intake.observer, auth).pages(endpoint, endpoint, params)

    def back(newest: datetime) -> date:
        return newest.date() - timedelta(days=lookback_days)

    orders = cursor_resource(ORDERS, "ordered_at", fetch, intake, back)
    snapshots = [snapshot_resource(contract, fetch, intake) for contract in SNAPSHOTS]
    # The same rows as orders.items[], and no cursor to fetch only the new ones by.
    items = snapshot_resource(ITEMS, fetch, intake, selected=False)
    return [orders, *snapshots, items]
