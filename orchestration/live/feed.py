"""What the live page shows now, made once for all who look, and the stream of its changes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import NamedTuple

from orchestration.environment import published_state
from orchestration.live.now import Now, look, mtime
from orchestration.settings import Settings
from orchestration.site.facts import Facts, Row, read_json
from orchestration.site.pages import Page, Site
from orchestration.site.writer import site_path

PAUSE = 1.0  # seconds between two looks; a look reads a dozen records
ALIVE = 10  # looks without news after which a line tells that the stream still is one
LIVE = Page("live", "runs", "Live")  # lies nowhere: only a server has it


class Shown(NamedTuple):
    """The part of the page that changes; `page` is where the run's own lies, once it has ended."""

    html: str
    news: str
    title: str
    going: bool
    page: str | None


class Feed:
    """Looks at the records as often as somebody asks, but not more than once a second."""

    def __init__(self, settings: Settings) -> None:
        """Look at the runs of these settings."""
        self.settings = settings
        self.leaving = Event()  # the server is about to end
        self._lock, self._looked, self._shown = Lock(), -PAUSE, Shown("", "", "", False, None)

    def now(self) -> Shown:
        """What is to be shown."""
        with self._lock:
            if monotonic() - self._looked >= PAUSE or self.leaving.is_set():
                view = look(self.settings)
                said = f"{view.run['kind']} {view.run['run_id']}: {view.head}" if view else "No run"
                self._shown = Shown(
                    part(view), said, f"{view.head if view else 'Live'} · {self._facts().project}",
                    bool(view and view.going), view.page if view else None,
                )  # fmt: skip
                self._looked = monotonic()
            return self._shown

    def page(self) -> str:
        """The whole page, which is right without a script too."""
        dbt_docs = (site_path(self.settings) / "dbt" / "index.html").exists()
        site = Site(self._facts(), dbt_docs)
        return site.render("live.html", LIVE, view=look(self.settings))[1]

    def stream(self) -> Iterator[str]:
        """Server-sent events: the page's part whenever it has changed, until the server leaves."""
        yield "retry: 1000\n\n"
        sent, silent = None, 0
        while True:
            leaving = self.leaving.is_set()
            shown = self.now()
            silent = 0 if shown != sent else silent + 1
            if shown != sent:
                sent = shown
                yield f"data: {json.dumps(shown._asdict())}\n\n"
            elif silent % ALIVE == 0:
                yield ": still here\n\n"  # finds out who has gone
            if leaving:
                yield f"event: leave\ndata: {shown.page or ''}\n\n"
                return
            self.leaving.wait(PAUSE)

    def _facts(self) -> Facts:
        """What the head of a page needs to know: the name of the project."""
        path = published_state(self.settings) / "manifest.json"
        return Facts(datetime.now(UTC), manifest=_head_of(path, mtime(path)))


def part(view: Now | None) -> str:
    """What of the page changes."""
    return Site(Facts(datetime.now(UTC)), False).render("live_part.html", LIVE, view=view)[1]


@lru_cache(1)
def _head_of(manifest: Path, changed: float) -> Row:
    return {"metadata": read_json(manifest).get("metadata", {})}
