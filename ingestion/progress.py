"""What a load tells while it goes: pages and rows as they come, jobs as they are loaded."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dlt.common.runtime.collector import Collector

from ingestion.pages import Page

if TYPE_CHECKING:
    from ingestion.load import LoadRecord

# ("extract", "orders", rows so far, pages so far), ("load", "files", files done, files in all),
# ("extract", "fault: orders, page 2: HTTP 429", 0, None)
Watch = Callable[[str, str, int, int | None], None]


def ignore(stage: str, name: str, done: int, of: int | None) -> None:
    """A `Watch` that shows nothing."""


class Progress(Collector):
    """dlt's progress collector, which also counts pages into the load's record."""

    def __init__(
        self,
        record: "LoadRecord",
        watch: Watch,
        judge: Callable[[], None] = lambda: None,
        most_pages: int | None = None,
    ) -> None:
        """Count into `record`, tell `watch`; `judge` when all has come and nothing is written.

        Of each resource `most_pages` are taken.
        """
        super().__init__()
        self._most_pages = most_pages
        self._record, self._watch, self._judge = record, watch, judge
        self._jobs: dict[str, int] = {}

    def page(self, page: Page) -> None:
        """A page has come in; called before it is decoded."""
        record = self._record
        record.pages[page.resource] = record.pages.get(page.resource, 0) + 1
        record.received[page.resource] = record.received.get(page.resource, 0) + len(page.rows)
        endpoint, _, query = page.url.partition("?")
        record.endpoints.setdefault(page.resource, endpoint)
        record.queries.setdefault(page.resource, query)
        rows, pages = record.received[page.resource], record.pages[page.resource]
        self._watch("extract", page.resource, rows, pages)

    def retry(self, fault: str) -> None:
        """A request failed and may be tried again; kept in the record either way."""
        self._record.retries.append(fault)
        self._watch("extract", f"fault: {fault}", 0, None)

    def enough(self, page: Page) -> bool:
        """Whether as many pages were taken as are wanted."""
        return self._most_pages is not None and page.number >= self._most_pages

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str = "",
    ) -> None:
        """Called by dlt; only the load jobs are of interest, pages are counted above."""
        if name == "Jobs" and self.step.startswith("Load"):
            self._jobs["done"] = self._jobs.get("done", 0) + inc
            known = total if total is not None else self._jobs.get("total", 0)
            self._jobs["total"] = known + (inc_total or 0)  # a merge is a job that comes up later
            self._watch("load", "files", self._jobs["done"], self._jobs["total"] or None)

    def _start(self, step: str) -> None:
        stage = step.split(maxsplit=1)[0].lower()
        if stage == "normalize":
            self._judge()  # what it raises ends the load, as if dlt had
        if stage != "extract":
            self._watch(stage, "files", 0, None)

    def _stop(self) -> Any:
        self._jobs.clear()
