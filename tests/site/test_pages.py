"""The site of two real runs, read as text: links, sizes, masks, and what a person must find."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from orchestration.console import Console
from orchestration.run import recorded_run
from orchestration.site.writer import write_site
from orchestration.warehouse import Warehouse
from tests.newcomer import settings_for
from tests.orchestration.small import SmallPipe, make_small_project
from tests.site.conftest import EVIL, SECRET, Built

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """The links and the ids of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.ids, self.text = list[str](), set[str](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := given.get(name))]
        self.ids |= {given["id"] or ""} if "id" in given else set()

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def pages(built: Built) -> dict[str, Links]:
    """Every page but dbt's."""
    found = (path for path in built.site.rglob("*.html") if path.parent.name != "dbt")
    return {str(path.relative_to(built.site)): Links(path.read_text()) for path in found}


def test_there_is_a_page_for_each_run_and_each_mart_and_dbts_docs(built: Built) -> None:
    found = {str(path.relative_to(built.site)) for path in built.site.rglob("*.*")}
    assert found == {
        "index.html", "lineage.html", "runs/index.html", "runs/first.html", "runs/last.html",
        "tables/index.html", "tables/orders.html", "site.css", "site.js", "lineage.js",
        "dbt/index.html",
    }  # fmt: skip
    assert "model.ecluse.orders" in (built.site / "dbt" / "index.html").read_text()


def test_every_link_leads_somewhere_and_nothing_is_asked_of_the_internet(
    pages: dict[str, Links], built: Built
) -> None:
    asked = 0
    for name, page in pages.items():
        for link in page.links:
            path, _, fragment = link.partition("#")
            if link.startswith(("mailto:", "data:")):
                continue
            assert "//" not in link, f"{name} asks for {link}"
            target = (built.site / name).parent / unquote(path) if path else built.site / name
            assert target.exists(), f"{name}: {link}"
            there = pages.get(str(target.resolve().relative_to(built.site.resolve())))
            if fragment and there and target.name != "lineage.html":
                assert unquote(fragment) in there.ids, f"{name}: {link}"
            asked += 1
    assert asked > 50


def test_it_is_small(built: Built) -> None:
    own = [path for path in built.site.rglob("*.*") if path.parent.name != "dbt"]
    assert sum(path.stat().st_size for path in own) < 1_500_000 / 5, "two runs, one mart"
    assert len((built.site / "lineage.js").read_text().splitlines()) < 300


def test_the_first_page_answers_and_says_why_and_what_is_served(pages: dict[str, Links]) -> None:
    text = " ".join(pages["index.html"].text.split())
    assert "numbers? ▲ With care" in text
    assert "Readers have version 1" in text
    assert "The last run found bad data" in text
    assert "no_negative_amount (1 row)" in text
    assert "1 failed" in text
    assert "1 warned" in text
    assert "the last rejected, 0 failed before" not in text


def test_a_failed_run_shows_the_test_its_sql_and_its_rows_without_personal_data(
    pages: dict[str, Links], built: Built
) -> None:
    page = pages["runs/last.html"]
    assert "no_negative_amount" in page.text
    assert "where amount < 0" in page.text
    assert "***" in page.text
    for path in (*built.site.rglob("*.*"), *(built.pipe.root / "runs").rglob("*.json")):
        assert str(SECRET) not in path.read_text(errors="ignore"), path


def test_what_others_wrote_stays_text(pages: dict[str, Links], built: Built) -> None:
    assert EVIL in pages["tables/orders.html"].text
    assert EVIL in pages["runs/last.html"].text, "a value of a row that failed"
    for path in built.site.rglob("*.html"):
        if path.parent.name != "dbt":
            assert EVIL not in path.read_text(), path


def test_a_table_says_what_its_owner_asks(pages: dict[str, Links]) -> None:
    text = " ".join(pages["tables/orders.html"].text.split())
    assert "Grain one row per id" in text
    assert "Contract enforced at each build" in text
    assert "A dashboard dashboard, Sales" in text
    assert "GET /orders $.id" in text, "where a column comes from, down to the JSON"
    assert "goes to 1 column" in text
    assert pages["tables/orders.html"].ids >= {"id", "amount"}


def test_a_published_run_says_what_it_published_and_which_chain_took_its_time(
    built: Built, pages: dict[str, Links]
) -> None:
    text = " ".join(pages["runs/first.html"].text.split())
    assert "Published as version 1" in text
    assert "Took" in text
    html = (built.site / "runs" / "first.html").read_text()
    critical = re.findall(r'critical">\s*<th scope="row">([^<]+)<', html)
    assert critical[0] == "dbt starts, parses, looks at the sources"
    assert {"stg_shop__orders", "orders"} <= set(critical)


def test_without_a_run_it_says_so(warehouse: Warehouse, tmp_path: Path) -> None:
    settings = settings_for(make_small_project(tmp_path / "p"), warehouse)
    with warehouse.session() as session:
        from orchestration import ops

        ops.create_tables(session)
        site = write_site(settings, session)
    text = " ".join(Links((site / "index.html").read_text()).text.split())
    assert "Nothing has been published yet, so there are no numbers" in text
    assert "No run yet" in text
    for page in ("lineage.html", "tables/index.html", "runs/index.html"):
        assert "make run" in (site / page).read_text()


def test_a_site_that_cannot_be_written_is_a_note_and_breaks_no_run(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    pipe = SmallPipe(tmp_path / "p", warehouse)
    (pipe.root / "site").write_text("in the way")
    with recorded_run(pipe.settings, "run", Console(quiet=True)) as run:
        pass
    assert run.record.exit_code == 0
    assert "the site could not be written: FileExistsError" in run.record.notes[0]
    assert "the site could not" in run.folder.path.joinpath("run.json").read_text()


def test_pages_of_old_runs_are_kept_and_those_of_runs_that_are_gone_go(built: Built) -> None:
    first = built.site / "runs" / "first.html"
    gone = built.site / "runs" / "gone.html"
    gone.write_text("a run whose record is gone")
    kept = first.stat().st_mtime_ns
    with built.pipe.warehouse.session() as session:
        write_site(built.pipe.settings, session)
        assert not gone.exists()
        assert first.stat().st_mtime_ns > kept, "the two newest are written anew"
