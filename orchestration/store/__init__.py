"""The artifact store: where the folder of each run goes when its disk may be gone tomorrow.

`ECLUSE_ARTIFACTS` is a folder or any URL of fsspec. A run's record is copied last and read first: a
run that was copied by half is none. `published.json` beside the runs says what readers have.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestration.errors import ConfigurationError, EcluseError, interrupt_code
from orchestration.records import RunFolder, RunRecord, read_run, read_runs, write_whole
from orchestration.settings import Settings

RECORD, POINTER = "run.json", "published.json"
# They have no folders; asked for one, their clients would make a bucket whose name was mistyped.
BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
# s3fs alone would try a store that does not answer for minutes.
PATIENCE: dict[str, Any] = {
    "s3": {
        "config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}
    }
}


class StoreFailed(EcluseError):
    """The artifact store does not answer, or refuses."""


def push_run(settings: Settings, run_id: str) -> None:
    """Copy the folder of a run to the store; nothing where there is no store.

    Raises:
        StoreFailed: it does not answer, or may not be written.
        ConfigurationError: the setting names nothing that can be opened.
    """
    if settings.artifacts is None:
        return
    run, folder = read_run(settings.runs_dir, run_id), settings.runs_dir / run_id
    with _store(settings) as (files, base):
        there = f"{base}/runs/{run_id}"
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name != RECORD and path.suffix != ".part":
                _make_room(files, f"{there}/{name}")
                files.put_file(str(path), f"{there}/{name}")
        _put_whole(files, f"{there}/{RECORD}", json.dumps(run, indent=1))
        if done := run.get("published"):
            known = _read(files, f"{base}/{POINTER}") or {"at": ""}
            pointer = {"run_id": done["built_by"], "version": done["version"], "at": done["at"]}
            if known["at"] <= done["at"]:  # a slower one may come after
                _put_whole(files, f"{base}/{POINTER}", json.dumps(pointer))


def fetch_run(settings: Settings, run_id: str, anew: bool = False) -> Path:
    """The folder of a run on this disk, fetched from the store where it is not here or not whole.

    Args:
        settings: where both are.
        run_id: the run.
        anew: fetch it also when it is here; another machine has gone on with it.

    Raises:
        ConfigurationError: there is no such run, here or in the store.
        StoreFailed: the store does not answer, or may not be read.
    """
    folder, here = settings.runs_dir / run_id, read_run(settings.runs_dir, run_id)
    if (not anew and here.get("finished_at")) or (here and settings.artifacts is None):
        return folder
    if settings.artifacts is None:
        raise ConfigurationError(
            f"There is no run {run_id} in {settings.runs_dir}. If another machine made it, name "
            "the store that both use in ECLUSE_ARTIFACTS."
        )
    with _store(settings) as (files, base):
        there = f"{base}/runs/{run_id}"
        run = _read(files, f"{there}/{RECORD}")
        if run is None and not here:
            raise ConfigurationError(f"There is no run {run_id}, here or in {said(settings)}.")
        if run is not None:
            _get(files, there, folder)
            write_whole(folder / RECORD, json.dumps(run, indent=1))
    return folder


def last_published(settings: Settings) -> str | None:
    """The run that built what readers have; None when nothing was published yet.

    Raises:
        StoreFailed, ConfigurationError: as `push_run` does.
    """
    if settings.artifacts is None:
        done = (run.get("published") for run in read_runs(settings.runs_dir))
        newest = max(filter(None, done), key=lambda each: str(each["at"]), default=None)
        return str(newest["built_by"]) if newest else None
    with _store(settings) as (files, base):
        pointer = _read(files, f"{base}/{POINTER}")
    return str(pointer["run_id"]) if pointer else None


def push_at_the_end(settings: Settings, record: RunRecord, folder: RunFolder) -> None:
    """Copy what a run leaves; a store that fails is a note, and never how the run ended.

    Whoever pressed Ctrl-C wants the prompt back.
    """
    if settings.artifacts is None or record.exit_code == interrupt_code(None):
        return
    try:
        push_run(settings, record.run_id)
    except (EcluseError, OSError, ValueError) as error:
        record.notes.append(f"the artifacts were not copied: {error}")
        with suppress(ConfigurationError):
            folder.save(record)


def said(settings: Settings) -> str:
    """The store's address without login and query, which may be secrets."""
    parts = urlsplit(settings.artifacts or "")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path


@contextmanager
def _store(settings: Settings) -> Iterator[tuple[Any, str]]:
    """The store's file system and the path in it; its errors become sentences."""
    import fsspec

    url, where = settings.artifacts or "", f"the artifact store {said(settings)}"
    protocol = url.partition("://")[0] if "://" in url else "file"
    try:
        files, base = fsspec.core.url_to_fs(url, **PATIENCE.get(protocol, {}))
        yield files, base.rstrip("/")
    except EcluseError:
        raise
    except ImportError as error:  # fsspec knows which package, and says it
        raise ConfigurationError(
            f"ECLUSE_ARTIFACTS names a store of the kind {protocol!r}, whose package is missing "
            f"({_brief(error, url)}): put it into .venv with `.venv/bin/pip install`."
        ) from error
    except PermissionError as error:
        raise StoreFailed(f"{where} refuses: {_brief(error, url)}. Give this login the right to "
                          "read and write there.") from error  # fmt: skip
    except ValueError as error:
        if "rotocol" not in str(error):
            raise StoreFailed(f"{where} failed: {_brief(error, url)}") from error
        raise ConfigurationError(
            f"ECLUSE_ARTIFACTS names a store of the kind {protocol!r}, which fsspec does not know: "
            "give a folder, or a URL such as s3://bucket/prefix."
        ) from error
    except Exception as error:  # each kind of store has errors of its own
        raise StoreFailed(f"{where} failed: {_brief(error, url)}") from error


def _brief(error: Exception, url: str) -> str:
    text = (str(error).strip().splitlines() or [""])[0].replace(url, "the store").rstrip(".")
    login = urlsplit(url).netloc.rpartition("@")[0]
    text = text.replace(login, "***") if login else text
    return text if isinstance(error, ImportError) else f"{type(error).__name__}: {text}"[:300]


def _make_room(files: Any, path: str) -> None:
    if BUCKETS.isdisjoint([files.protocol] if isinstance(files.protocol, str) else files.protocol):
        files.makedirs(path.rpartition("/")[0], exist_ok=True)


def _put_whole(files: Any, path: str, text: str) -> None:
    """Replace a file so that a reader sees the old or the new one, also on a plain disk."""
    _make_room(files, path)
    files.pipe_file(f"{path}.part", text.encode())
    files.mv(f"{path}.part", path)


def _read(files: Any, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(files.cat_file(path))
    except FileNotFoundError:
        return None
    return found


def _get(files: Any, there: str, folder: Path) -> None:
    """Every file but the record; on a plain disk half a file never stands under its name."""
    files.invalidate_cache()
    for path in files.find(there):
        name = path.removeprefix(f"{there}/")
        if name == RECORD or name.endswith(".part"):
            continue
        part = folder / f"{name}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        with files.open(path, "rb") as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.replace(folder / name)
