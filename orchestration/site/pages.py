"""Facts in, pages out: file name to text. Writes nothing and asks nobody."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.site import words
from orchestration.site.charts import chart
from orchestration.site.contracts import promised
from orchestration.site.facts import Facts, Row
from orchestration.site.health import health
from orchestration.site.lineage_page import lineage_page
from orchestration.site.marts import mart_names, marts
from orchestration.site.run_page import listed, run_page

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
ASSETS = ("site.css", "site.js", "lineage.js")
FILTERS = (
    "tone", "sign", "day_time", "moment", "span", "count", "change", "plural", "prose",
    "table_page",
)  # fmt: skip
OWN = (TEMPLATES, HERE)  # what the look of a page depends on


@dataclass(frozen=True)
class Page:
    """Where a page lies, and which entry of the menu it belongs to."""

    path: str
    menu: str
    title: str

    @property
    def root(self) -> str:
        """The way from the page to the folder of the site."""
        return "../" * self.path.count("/")


def pages(facts: Facts, dbt_docs: bool) -> Iterator[tuple[str, str]]:
    """Every page but those of runs.

    Args:
        facts: what is known.
        dbt_docs: whether dbt's docs lie in dbt/index.html.
    """
    site = Site(facts, dbt_docs)
    yield site.render("health.html", Page("index.html", "health", "Health"), health=health(facts))
    yield site.render("runs.html", Page("runs/index.html", "runs", "Runs"), runs=listed(facts))
    every = marts(facts)
    yield site.render("tables.html", Page("tables/index.html", "tables", "Tables"), marts=every)
    for mart in every:
        page = Page(words.table_page(mart.name), "tables", mart.name)
        name = f"rows of {mart.name}"
        yield site.render("table.html", page, mart=mart, chart=chart(mart.volume, name))
    if facts.contracts:
        page = Page("tables/contracts.html", "tables", "What the sources promise")
        yield site.render("contracts.html", page, sources=promised(facts))
    page = Page("lineage.html", "lineage", "Lineage")
    yield site.render("lineage.html", page, lineage=lineage_page(facts))


def path_of_run(run: Row) -> str:
    """Where the page of a run lies."""
    return f"runs/{run['run_id']}.html"


def page_of_run(facts: Facts, run: Row, folder: Path, dbt_docs: bool) -> str:
    """The page of one run; `folder` has its files."""
    page = Page(path_of_run(run), "runs", f"Run {run['run_id']}")
    view, known = run_page(facts, run, folder), set(mart_names(facts))
    return Site(facts, dbt_docs).render("run.html", page, view=view, known=known)[1]


@cache
def look() -> str:
    """Changes when a template or the code of the pages does: what was written before is old."""
    files = [path for folder in OWN for path in sorted(folder.glob("*.*")) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@dataclass(frozen=True)
class Site:
    """What every page of a site shows about it."""

    facts: Facts
    dbt_docs: bool

    def render(self, template: str, page: Page, **what: Any) -> tuple[str, str]:
        """The path of a page, and its text."""
        found, docs = _environment().get_template(template), self.dbt_docs
        text = found.render(page=page, site=self.facts, look=look(), dbt_docs=docs, **what)
        return page.path, text


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for name in FILTERS:
        environment.filters[name] = getattr(words, name)
    return environment
