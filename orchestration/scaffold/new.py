"""`ecluse new source`: look, write, and say what was found, what is not sure, what comes next."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from orchestration.errors import ConfigurationError
from orchestration.scaffold.names import check_name
from orchestration.settings import Settings
from orchestration.taking_in import as_errors_of_a_run

if TYPE_CHECKING:
    from ingestion.probe.found import Found, Resource, Wish

FILES = ("file", "s3", "gs", "gcs", "az", "abfs", "abfss", "memory", "ftp", "sftp")


def new_source(
    settings: Settings, name: str, wish: "Wish", auth: str, force: bool, dry_run: bool
) -> None:
    """Write the files of the source `name` for what lies at the wish's URL.

    Raises:
        ConfigurationError: the name, the URL or `--auth` will not do, or files are there already.
        IngestionStopped: it cannot be asked, or holds nothing that could be loaded.
    """
    from ingestion.registry import SOURCES
    from orchestration.scaffold.rendering import render

    check_name(name, [] if force else list(SOURCES))
    found = _look(settings, name, wish, auth)
    files = render(name, found)
    there = [path for path in files if (settings.root / path).exists()]
    if there and not (force or dry_run):
        raise ConfigurationError(
            f"{there[0]} is there already, and {len(there) - 1} more: --force writes them anew."
        )
    click.echo("\n".join(_words(found)))
    click.echo(f"\n{'Would write' if dry_run else 'Written'}:")
    for path, text in files.items():
        click.echo(f"  {path} ({text.count(chr(10))} lines{', anew' if path in there else ''})")
        if not dry_run:
            _write(settings.root / path, text)
    _remove_old(settings.root, name, files, force and not dry_run)
    if not dry_run:
        click.echo("\n".join(_next(name, found)))


def _look(settings: Settings, name: str, wish: "Wish", auth: str) -> "Found":
    from ingestion.errors import WrongSetting
    from ingestion.home import at_home

    scheme = urlsplit(wish.url).scheme
    # where dlt finds its secrets.toml
    os.environ.update(DLT_PROJECT_DIR=str(settings.root / "ingestion"),
                      DLT_DATA_DIR=str(settings.dlt_dir))  # fmt: skip
    with as_errors_of_a_run(), at_home():
        if scheme in ("http", "https"):
            from ingestion.probe.api import look_at_api
            from ingestion.probe.login import make_auth, parse_auth

            login = parse_auth(auth) if auth else None
            found = look_at_api(wish, make_auth(login, name) if login else None, _progress)
            if login:
                found.auth, found.secrets = login.config, login.secrets
            return found
        if auth:
            raise WrongSetting("--auth is for APIs: the password of a database comes from "
                               f"SOURCES__{name.upper()}__PASSWORD.")  # fmt: skip
        if scheme in FILES or "://" not in wish.url:
            from ingestion.probe.files import look_at_files

            return look_at_files(wish, _progress)
        from ingestion.probe.database import look_at_database

        return look_at_database(wish, name, _progress)


def _progress(said: str) -> None:
    """What is looked at, a line each; the count of requests only where it can be overwritten."""
    if not said.startswith("request "):
        click.echo(f"looking at {said}", err=True)
    elif sys.stderr.isatty():
        click.echo(f"  {said}\r", nl=False, err=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _remove_old(root: Path, name: str, files: dict[str, str], really: bool) -> None:
    """Views of tables that are no more: dbt would go on building them."""
    views = root / "dbt_project" / "models" / "staging" / name
    for path in views.glob(f"stg_{name}__*.sql") if really else ():
        if str(path.relative_to(root)) not in files:
            path.unlink()
            click.echo(f"  {path.relative_to(root)} removed")


def _words(found: "Found") -> Iterator[str]:
    asked = f", {found.requests} requests" if found.requests else ""
    yield f"{found.url}: {len(found.resources)} tables{asked}"
    for each in found.resources:
        yield from _about(each)
    if found.doubts:
        yield "\nNot loaded:"
        yield from (f"  ? {doubt}" for doubt in found.doubts)


def _about(resource: "Resource") -> Iterator[str]:
    total = f" of {resource.total:,}" if resource.total else ""
    tables = len(list(resource.contract.nested()))
    nested = f", {tables} nested lists" if tables else ""
    columns = len(resource.contract.columns)
    yield (f"\n{resource.contract.table} ({resource.path}): {columns} columns{nested}, "
           f"from {resource.sampled:,}{total} rows")  # fmt: skip
    yield from (f"    {sentence}" for sentence in resource.found)
    yield from (f"  ? {sentence}" for sentence in resource.doubts)
    if hidden := [column.name for column in resource.contract.columns if column.pii]:
        yield f"  ? taken for personal data, and masked: {', '.join(hidden)}"


def _next(name: str, found: "Found") -> Iterator[str]:
    unsure = any(each.doubts for each in found.resources)
    yield "\nNext:"
    if unsure:
        yield f"  look at what has a ? in ingestion/sources/{name}/contract.py"
    yield f"  ecluse ingest {name}    load it alone"
    yield "  make run               load, build, test and publish everything"
