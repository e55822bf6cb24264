"""`ecluse record`: keep what an API answers, or hold what it answers now against what was kept.

The load that asks is a real one, contract and quarantine included, into a dataset that is dropped.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.demo import demo_for
from orchestration.environment import tool_environment
from orchestration.errors import DataRejected
from orchestration.publication.sql import ddl
from orchestration.recording.replay import others
from orchestration.settings import Settings
from orchestration.taking_in import as_errors_of_a_run
from orchestration.warehouse import Warehouse, open_warehouse

if TYPE_CHECKING:
    from ingestion.load import LoadRecord

PREFIX = "recording_"  # of the dataset


def record_source(settings: Settings, source: str, folder: Path, pages: int | None) -> None:
    """Record `pages` of each resource, or all of them, into the folder.

    Raises:
        IngestionStopped, DataRejected, ConfigurationError: as a load does; nothing is kept then.
    """
    loaded = _record(settings, source, folder, pages)
    kept = ", ".join(f"{name} {count}" for name, count in sorted(loaded.pages.items()))
    rows = sum(loaded.received.values())
    click.echo(f"{source}: {sum(loaded.pages.values())} pages ({kept}), {rows:,} rows in {folder}")
    if loaded.rejected:
        said = ", ".join(f"{table} {count:,}" for table, count in loaded.rejected.items())
        click.echo(f"rows that break the contract, kept as they are: {said}")
    click.echo("Read it before you commit it: only what the contract calls personal is masked.")


def compare_source(settings: Settings, source: str, folder: Path, as_json: bool) -> None:
    """Say what the API answers in another way than when the recording was made.

    Raises:
        DataRejected: something moved.
        ConfigurationError: there is no recording.
    """
    from ingestion.recording.cassette import interactions, read_about
    from ingestion.recording.moved import moved

    with as_errors_of_a_run():
        about = read_about(folder)
    now = settings.state_dir / "recordings" / source
    try:
        _record(settings, source, now, about.pages)
        said = moved(interactions(folder), interactions(now))
    finally:
        shutil.rmtree(now, ignore_errors=True)
    if as_json:
        click.echo(json.dumps({"recorded_at": about.recorded_at, "moved": said}, indent=1))
    elif said:
        click.echo("\n".join(said))
    else:
        click.echo(f"{source} answers as it did when it was recorded, {about.recorded_at}")
    if said:
        raise DataRejected(
            f"{source} moved in {len(said)} ways since {about.recorded_at}. When the contract has "
            f"followed, `.venv/bin/ecluse record {source}` keeps the new answers."
        )


def _record(settings: Settings, source: str, folder: Path, pages: int | None) -> "LoadRecord":
    from ingestion.load import LoadRecord, load
    from ingestion.pages import plain_url
    from ingestion.recording.cassette import Recording, recording, variables_of

    warehouse = open_warehouse(settings)
    os.environ.update(tool_environment(settings, warehouse))
    now, prefix = datetime.now(UTC), f"SOURCES__{source.upper()}__"
    loaded = LoadRecord(source, PREFIX + source, now)
    with ExitStack() as stack:
        demo = stack.enter_context(demo_for(settings, (source,), moves=False))
        options = demo.options(source)
        base_url = options.get("base_url") or variables_of(source).get(f"{prefix}BASE_URL")
        moment = now.isoformat(timespec="seconds")
        shown = plain_url(base_url).partition("?")[0] if base_url else None
        about = Recording(source, moment, shown, pages)
        stack.enter_context(_thrown_away(warehouse, loaded.dataset))
        stack.enter_context(recording(folder, about, others(settings)))
        stack.enter_context(as_errors_of_a_run())
        return load(
            source,
            warehouse.url(),
            settings.dlt_dir / "recordings",
            watch=_watcher(),
            record=loaded,
            most_pages=pages,
            **options,
        )


@contextmanager
def _thrown_away(warehouse: Warehouse, dataset: str) -> Iterator[None]:
    """Drop the dataset, and the one that dlt merges from, before and after."""

    def drop() -> None:
        with warehouse.session() as session, session.cursor() as cursor:
            for name in (dataset, f"{dataset}_loading"):
                ddl(cursor, "drop schema if exists {} cascade", name)

    drop()
    try:
        yield
    finally:
        drop()


def _watcher() -> Callable[[str, str, int, int | None], None]:
    """Tell each page on stderr, for recordings of large APIs take their time."""

    def watch(stage: str, name: str, done: int, of: int | None) -> None:
        if stage == "extract":
            click.echo(f"{name}: {done:,} rows" if of else name, err=True)

    return watch
