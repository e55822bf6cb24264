"""The shop's help desk: tickets that change in place, by the time of their last change."""

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.sources import DltResource

from ingestion.declared.cursor import Cursor
from ingestion.declared.rest import Endpoint, rest_resources
from ingestion.intake import Intake
from ingestion.sources.support.contract import TICKETS

ENDPOINTS = (
    Endpoint(
        TICKETS,
        "tickets",
        rows="data",
        paginator={"type": "cursor", "cursor_path": "next_cursor", "cursor_param": "cursor"},
        params={"limit": 1000},
        cursor=Cursor("updated_at", "updated_since", until="updated_until"),
    ),
)


@dlt.source(name="support", max_table_nesting=0)
def support(
    intake: Intake, base_url: str = "", api_token: TSecretStrValue | None = None
) -> list[DltResource]:
    """The tickets of the desk at `base_url`, such as `https://host/support/v1`.

    Without one nothing is asked, and the tables are there and empty.
    """
    auth = {"type": "bearer", "token": api_token} if api_token else None
    return rest_resources(ENDPOINTS, base_url, auth, intake)
