"""Writes the site: after each run, and for `ecluse docs`."""

from pathlib import Path
from shutil import copy2
from typing import TYPE_CHECKING

from orchestration.dbt import docs_path
from orchestration.records import CANCELLED
from orchestration.settings import Settings
from orchestration.site.facts import Row, read_facts
from orchestration.site.failed import keep_samples
from orchestration.site.pages import ASSETS, TEMPLATES, look, page_of_run, pages, path_of_run

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from orchestration.run import Run

STATIC = "static_index.html"  # what `dbt docs generate --static` writes
FRESH = 2  # run pages that are always written: the newest, and the one that now has a newer one


def write_after(run: "Run") -> bool:
    """Write the site at the end of a run; whether a note about it has come to the record.

    The record is over and saved by then: no page may change how a run ended. Whoever pressed
    Ctrl-C wants the prompt back; the next run tells of it.
    """
    if run.record.status == CANCELLED:
        return False
    try:
        write_site(run.settings, run.session)
    except Exception as error:
        run.note(f"the site could not be written: {type(error).__name__}: {error}")
        return True
    return False


def write_site(settings: Settings, session: "connection") -> Path:
    """Write what is new of the site; returns its folder.

    Raises:
        OSError: the folder cannot be written.
    """
    site = site_path(settings)
    facts = read_facts(settings, session)
    if facts.runs:
        keep_samples(session, settings, facts.runs[0])
    _copy_dbt_docs(settings, site)
    dbt_docs = (site / "dbt" / "index.html").exists()
    for name in ASSETS:
        _write(site / name, (TEMPLATES / name).read_text())
    written = {path_of_run(run) for run in facts.runs}
    for path, text in pages(facts, dbt_docs):
        _write(site / path, text)
        written.add(path)
    for number, run in enumerate(facts.runs):
        folder = settings.runs_dir / run["run_id"]
        if number < FRESH or _is_old(site / path_of_run(run), folder, run):
            _write(site / path_of_run(run), page_of_run(facts, run, folder, dbt_docs))
    for left in (*site.glob("runs/*.html"), *site.glob("tables/*.html")):
        if str(left.relative_to(site)) not in written:
            left.unlink()
    return site


def site_path(settings: Settings) -> Path:
    """The folder of the site."""
    return settings.root / "site"


def _is_old(page: Path, folder: Path, run: Row) -> bool:
    """Whether the page of a run is missing, older than its record, or of another make."""
    record = folder / "run.json"
    if not page.exists() or page.stat().st_mtime < record.stat().st_mtime:
        return True
    return f'content="ecluse {look()}"' not in page.read_text()[:1000]


def _copy_dbt_docs(settings: Settings, site: Path) -> None:
    made, kept = docs_path(settings) / STATIC, site / "dbt" / "index.html"
    if made.exists() and not (kept.exists() and kept.stat().st_mtime >= made.stat().st_mtime):
        kept.parent.mkdir(parents=True, exist_ok=True)
        copy2(made, kept)


def _write(path: Path, text: str) -> None:
    """Replace a file in one piece: somebody may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
