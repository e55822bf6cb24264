"""Commands that write the files of a source and keep them in step with it: new, sync."""

import click

from orchestration.settings import load_settings


@click.group()
def new() -> None:
    """Write the files of something new."""


@new.command("source")
@click.argument("name")
@click.option("--url", required=True, help="An API, a database (postgresql://..., any SQLAlchemy "
              "URL without its password) or files (a folder, a pattern, s3://...).")  # fmt: skip
@click.option("--auth", "words", default="", metavar="HOW",
              help="bearer, api_key:NAME, api_key:NAME:query, basic or oauth2:TOKEN_URL; the "
              "secrets come from the environment.")  # fmt: skip
@click.option("--openapi", metavar="FILE|URL", help="Its OpenAPI or Swagger description.")
@click.option("--resource", "resources", multiple=True, metavar="PATH",
              help="An endpoint, a table or a pattern of files; may be given again. Without it all "
              "that can be found.")  # fmt: skip
@click.option("--sample", default=20_000, show_default=True, type=click.IntRange(1), metavar="N",
              help="Rows of each resource to judge by.")  # fmt: skip
@click.option("--requests", default=1_000, show_default=True, type=click.IntRange(1), metavar="N",
              help="Most requests to make.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite the files of a source of this name.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def new_source(  # noqa: PLR0913, PLR0917 - each is an option
    name: str,
    url: str,
    words: str,
    openapi: str | None,
    resources: tuple[str, ...],
    sample: int,
    requests: int,
    force: bool,
    dry_run: bool,
) -> None:
    """Look at an API, a database or files, and write the source NAME: then `ecluse run` loads it.

    Written are the dlt source, its contract and README, and dbt's sources, staging views and
    tests. What was found is proven by asking; what was not sure is said.
    """
    from ingestion.probe.found import Wish
    from orchestration.scaffold.new import new_source as write

    wish = Wish(url, resources, openapi, sample, requests)
    write(load_settings(), name, wish, words, force, dry_run)


@click.command()
@click.argument("name", required=False)
@click.option("--check", is_flag=True,
              help="Write nothing; exit code 3 when something is out of step.")  # fmt: skip
def sync(name: str | None, check: bool) -> None:
    """Bring sources.yml and the staging views in step with what dlt has loaded.

    New columns are added to both. What is gone, or of another type, is left to you: it is said
    which models it breaks. NAME is one source; without it all of them.
    """
    from orchestration.scaffold.sync import sync_sources

    sync_sources(load_settings(), name, check)


COMMANDS: tuple[click.Command, ...] = (new, sync)
