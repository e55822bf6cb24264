"""The command that keeps an API's answers for tests: record."""

from pathlib import Path

import click

from orchestration.cli.options import json_option
from orchestration.errors import ConfigurationError
from orchestration.settings import load_settings


@click.command()
@click.argument("source")
@click.option("--pages", type=click.IntRange(1), default=3, show_default=True,
              help="How many pages of each resource.")  # fmt: skip
@click.option(
    "--all", "every", is_flag=True, help="All pages, so that a whole run can be replayed."
)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path),
              help="A folder of recordings; tests/recordings by default.")  # fmt: skip
@click.option("--check", is_flag=True,
              help="Keep nothing: ask the API again, and say what moved since. Exit code 3 if "
              "something did.")  # fmt: skip
@json_option
def record(
    source: str, pages: int, every: bool, into: Path | None, check: bool, as_json: bool
) -> None:
    """Keep what the API of SOURCE answers, without credentials and personal data, for tests.

    With ECLUSE_REPLAY=tests/recordings any load is answered from there, and nothing is asked
    outside. SOURCE is loaded as by `ecluse ingest`, into a schema that is dropped again.
    """
    from ingestion.registry import SOURCES
    from orchestration.recording.keep import compare_source, record_source

    settings = load_settings()
    if source not in SOURCES:
        known = ", ".join(sorted(SOURCES))
        raise ConfigurationError(f"There is no source {source!r}. Sources: {known}.")
    folder = (into or settings.root / "tests" / "recordings") / source
    if check:
        compare_source(settings, source, folder, as_json)
    else:
        record_source(settings, source, folder, None if every else pages)


COMMANDS: tuple[click.Command, ...] = (record,)
