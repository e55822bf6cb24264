"""The HTTP contract of the public Jaffle Shop API, in front of any shop."""

from dataclasses import asdict
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic import WithJsonSchema
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from ingestion.demo_api import desk_api, models
from ingestion.demo_api.broken import KINDS
from ingestion.demo_api.desk import Desk
from ingestion.demo_api.faults import FaultError, Faults
from ingestion.demo_api.page import API_PATH, DESK_PATH, PIECE, Page
from ingestion.demo_api.shop import ENDPOINTS, Days, Shop

_ASSETS = "/docs/assets"
_ABOUT = """A shop to load data from: the contract of the public Jaffle Shop API.

Lists are bare JSON arrays. A `Link` header with `rel="next"` leads to the next page; the last page
has none. Numbers are strings, money is in whole cents, times have no zone.

The help desk has other habits: a bearer token, a cursor in an envelope, JSON numbers, UTC."""

PageNumber = Annotated[int, Query(ge=1, description="From 1; a page beyond the last is empty.")]
PageSize = Annotated[int, Query(ge=1, description="Rows in a page; there is no upper limit.")]
# The schema is written out because OpenAPI 3.0 has no null type for what is left out.
_DATE = WithJsonSchema({"type": "string", "format": "date"})
FirstDay = Annotated[date | None, _DATE, Query(description="First day of the orders, included.")]
LastDay = Annotated[date | None, _DATE, Query(description="Last day of the orders, included.")]


def create_app(shop: Shop, faults: Faults) -> FastAPI:
    """Build the application; `faults` may be changed while it runs."""
    # 3.0 because the bundled page draws nothing for 3.1.
    app = FastAPI(title="Demo shop", description=_ABOUT, docs_url=None, redoc_url=None)
    app.openapi_version = "3.0.3"
    app.include_router(_front(shop))
    app.include_router(_lists(shop, faults), prefix=API_PATH, tags=["shop"])
    desk = desk_api.make_router(Desk(shop), faults)
    app.include_router(desk, prefix=DESK_PATH, tags=["support"])
    app.include_router(_fault_desk(faults), prefix="/faults", tags=["faults"])
    app.mount(_ASSETS, StaticFiles(directory=_swagger_folder()), name="assets")
    return app


def _front(shop: Shop) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def about() -> dict[str, str]:
        return {
            "about": shop.about,
            "api": API_PATH,
            "support": DESK_PATH,
            "docs": "/docs",
            "faults": "/faults",
        }

    @router.get("/docs")
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Demo shop",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
        )

    @router.get("/favicon.ico")
    def icon() -> RedirectResponse:
        return RedirectResponse(f"{_ASSETS}/favicon-32x32.png")

    return router


def _lists(shop: Shop, faults: Faults) -> APIRouter:
    router = APIRouter()

    @router.get("/row-counts")
    def row_counts() -> list[models.RowCount]:
        """Count the rows of every endpoint as they are today."""
        return [models.RowCount(table_name=e, row_count=shop.count(e)) for e in ENDPOINTS]

    @router.get("/orders", **_documented("orders"))
    def orders(
        request: Request,
        page: PageNumber = 1,
        page_size: PageSize = 100,
        start_date: FirstDay = None,
        end_date: LastDay = None,
    ) -> Response:
        """List orders, each with its items, in no promised order."""
        days, query = Days(start_date, end_date), tuple(request.query_params.items())
        return _answer(Page(shop, "orders", page, page_size, days, query), faults)

    for endpoint in ENDPOINTS:
        if endpoint != "orders":
            _add_list(router, endpoint, shop, faults)
    return router


def _add_list(router: APIRouter, endpoint: str, shop: Shop, faults: Faults) -> None:
    @router.get(f"/{endpoint}", name=endpoint, **_documented(endpoint))
    def rows(request: Request, page: PageNumber = 1, page_size: PageSize = 100) -> Response:
        query = tuple(request.query_params.items())
        return _answer(Page(shop, endpoint, page, page_size, query=query), faults)


def _fault_desk(faults: Faults) -> APIRouter:
    router = APIRouter()

    @router.get("")
    def list_faults() -> list[models.FaultState]:
        """List the faults that were set, those used up included."""
        return [models.FaultState(**_state(fault)) for fault in faults.all()]

    @router.post("", status_code=201)
    def set_fault(wanted: models.FaultRequest) -> models.FaultState:
        """Set a fault."""
        try:
            return models.FaultState(**_state(faults.add(wanted.spec)))
        except FaultError as error:
            raise HTTPException(422, str(error)) from error

    @router.delete("")
    def clear_faults() -> models.Removed:
        """Take all faults away."""
        return models.Removed(removed=faults.clear())

    return router


def _answer(page: Page, faults: Faults) -> Response:
    fault = faults.take(page.endpoint, page.number)
    if fault:
        return KINDS[fault.name].answer(page, fault.options)
    if page.count > PIECE:
        return StreamingResponse(page.pieces(), headers=page.headers, media_type="application/json")
    return Response(page.rows(), headers=page.headers, media_type="application/json")


def _documented(endpoint: str) -> dict[str, Any]:
    link = {"description": "Where the next page is.", "schema": {"type": "string"}}
    return {"responses": {200: {"model": models.ROWS[endpoint], "headers": {"Link": link}}}}


def _state(fault: Any) -> dict[str, Any]:
    state = asdict(fault)
    state.pop("options")
    return state


def _swagger_folder() -> Path:
    # The bundle names its folder after the version it holds.
    return next(Path(str(files("swagger_ui_bundle") / "vendor")).glob("swagger-ui-*"))
