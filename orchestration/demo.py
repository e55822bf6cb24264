"""The bundled shop API for runs that were given no other: starts, moves its calendar, goes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.settings import Settings

FIRST_DAYS = 365


@contextmanager
def demo_source(settings: Settings) -> Iterator[str]:
    """The base URL of the demo API, which lives as long as the block.

    Each load that got through moves the shop's calendar on by a day, so that the next run finds
    something new. The count is kept beside the embedded warehouse and goes with it.
    """
    from ingestion.demo_api.serve import running

    if settings.demo_data:
        with running(data=settings.demo_data, faults=settings.demo_faults) as url:
            yield url
        return
    days = settings.demo_days or _next_days(settings)
    with running(orders=settings.demo_orders, days=days, faults=settings.demo_faults) as url:
        yield url
    _file(settings).parent.mkdir(parents=True, exist_ok=True)
    _file(settings).write_text(json.dumps({"days_loaded": days}))


def _next_days(settings: Settings) -> int:
    try:
        return int(json.loads(_file(settings).read_text())["days_loaded"]) + 1
    except (OSError, ValueError, KeyError):
        return FIRST_DAYS


def _file(settings: Settings) -> Path:
    return settings.state_dir / "demo.json"
