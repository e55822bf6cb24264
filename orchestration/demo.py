"""The bundled APIs for sources that were given no other: start, move their calendar, go."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.settings import Settings

FIRST_DAYS = 365
SHOP, DESK = "jaffle_shop", "support"  # the sources that the demo can stand in for
DESK_TOKEN = "SOURCES__SUPPORT__API_TOKEN"  # noqa: S105 - the variable's name


@dataclass
class Demo:
    """The demo server of one ingestion: started when a source first wants it, one for all.

    The shop and its desk are of the same day, for a ticket names an order of the shop.
    """

    settings: Settings
    stack: ExitStack  # closed when all is loaded
    moves: bool
    _url: str = field(default="", init=False)

    def options(self, source: str) -> dict[str, Any]:
        """The arguments that say where the API of this source is; none if that is its own affair.

        Raises:
            ConfigurationError: the demo does not start, because of what the settings ask of it.
        """
        own, desk = self.settings.base_url, self.settings.desk_url
        if source == SHOP:
            return {"base_url": own or self._shop()}
        if source == DESK and not own:
            return {"base_url": desk or self._desk()}
        return {"base_url": desk} if source == DESK and desk else {}

    def _shop(self) -> str:
        self._url = self._url or self.stack.enter_context(demo_source(self.settings, self.moves))
        return self._url

    def _desk(self) -> str:
        from ingestion.demo_api.page import DESK_TOKEN as OPENS
        from ingestion.demo_api.serve import desk_url

        if DESK_TOKEN not in os.environ:
            os.environ[DESK_TOKEN] = OPENS
            self.stack.callback(os.environ.pop, DESK_TOKEN)
        return desk_url(self._shop())


@contextmanager
def demo_for(settings: Settings, sources: tuple[str, ...], moves: bool = True) -> Iterator[Demo]:
    """The demo while these sources are loaded; only a load of the shop moves its calendar."""
    with ExitStack() as stack:
        yield Demo(settings, stack, moves and SHOP in sources)


@contextmanager
def demo_source(settings: Settings, moves: bool = True) -> Iterator[str]:
    """The base URL of the demo API, which lives as long as the block.

    Each load that got through moves the shop's calendar on by a day, so that the next run finds
    something new; not so a backfill, for which `moves` is false. The count is kept beside the
    embedded warehouse and goes with it.

    Raises:
        ConfigurationError: it does not start, because of what the settings ask of it.
    """
    from ingestion.demo_api.serve import DemoApiError, running

    days = settings.demo_days or _next_days(settings) - (not moves)
    made_up: dict[str, Any] = {"orders": settings.demo_orders, "days": days}
    shop = {"data": settings.demo_data} if settings.demo_data else made_up
    try:
        with running(**shop, faults=(*settings.demo_faults, *_broken(settings))) as url:
            yield url
    except DemoApiError as error:
        said = " ".join(str(error).split())
        raise ConfigurationError(f"{said} Check the variables ECLUSE_DEMO_*.") from error
    if settings.demo_data or not moves:
        return
    _file(settings).parent.mkdir(parents=True, exist_ok=True)
    part = _file(settings).with_suffix(".part")  # half a number would open the shop anew
    part.write_text(json.dumps({"days_loaded": days}))
    part.replace(_file(settings))


def _broken(settings: Settings) -> list[str]:
    """The faults that `make break` wrote down, until `make fix`."""
    path = settings.state_dir / "demo_faults"
    return path.read_text().split() if path.exists() else []


def _next_days(settings: Settings) -> int:
    try:
        return int(json.loads(_file(settings).read_text())["days_loaded"]) + 1
    except (OSError, ValueError, KeyError):
        return FIRST_DAYS


def _file(settings: Settings) -> Path:
    return settings.state_dir / "demo.json"
