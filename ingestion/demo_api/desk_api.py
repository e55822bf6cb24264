"""The HTTP side of the help desk: other habits than the shop's, as APIs of two makers have."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import WithJsonSchema
from starlette.responses import Response

from ingestion.demo_api import models
from ingestion.demo_api.broken import KINDS
from ingestion.demo_api.desk import CursorError, Desk, TicketPage, read_cursor
from ingestion.demo_api.faults import Faults
from ingestion.demo_api.page import DESK_TOKEN

MOST = 1_000  # tickets in a page
_bearer = HTTPBearer(auto_error=False, description=f"The demo's token is `{DESK_TOKEN}`.")
_Login = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
# The schemas are written out because OpenAPI 3.0 has no null type for what is left out.
_Since = Annotated[
    datetime | None,
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Query(description="Only tickets that changed then or later."),
]
_Until = Annotated[
    datetime | None,
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Query(description="Only tickets that changed before."),
]
_Cursor = Annotated[
    str | None, WithJsonSchema({"type": "string"}), Query(description="From next_cursor.")
]
_Limit = Annotated[int, Query(ge=1, le=MOST, description="Tickets in a page.")]


def make_router(desk: Desk, faults: Faults) -> APIRouter:
    """Build the routes of the desk; they want its token."""
    router = APIRouter()

    @router.get("/tickets", response_model=models.Tickets, responses={401: {"description": "No."}})
    def tickets(
        login: _Login,
        updated_since: _Since = None,
        updated_until: _Until = None,
        limit: _Limit = 100,
        cursor: _Cursor = None,
    ) -> Response:
        """List tickets by the time of their last change."""
        if login is None or login.credentials != DESK_TOKEN:
            raise HTTPException(401, "Show the desk's token.", {"WWW-Authenticate": "Bearer"})
        try:
            after = read_cursor(cursor) if cursor else None
        except CursorError as error:
            raise HTTPException(422, str(error)) from error
        return _answer(TicketPage(desk, limit, updated_since, updated_until, after), faults)

    return router


def _answer(page: TicketPage, faults: Faults) -> Response:
    fault = faults.take(page.endpoint, page.number)
    if fault:
        return KINDS[fault.name].answer(page, fault.options)
    return Response(page.body(page.rows()), media_type="application/json")
