"""The bundled shop API for runs that were given no other: starts, moves its calendar, goes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.settings import Settings

FIRST_DAYS = 365


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
