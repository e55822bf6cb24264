"""The artifact store: whole runs go out and come back, and a store that is down breaks nothing."""

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from orchestration.errors import ConfigurationError
from orchestration.records import RunFolder, RunRecord, read_run
from orchestration.settings import Settings, load_settings
from orchestration.store import (
    StoreFailed,
    fetch_run,
    last_published,
    push_at_the_end,
    push_run,
    said,
)


def _machine(root: Path, store: str | None) -> Settings:
    return load_settings({"ECLUSE_ARTIFACTS": store} if store else {}, root)


def _made(settings: Settings, run_id: str, at: str = "", built_by: str = "") -> RunRecord:
    record = RunRecord(run_id, "run", "passed")
    record.finished_at = record.started_at
    if at:
        record.published = {"version": 3, "built_by": built_by or run_id, "at": at}
    folder = RunFolder(settings.runs_dir, run_id)
    folder.save(record)
    (folder.path / "dbt").mkdir()
    (folder.path / "dbt" / "manifest.json").write_text(f'{{"of": "{run_id}"}}')
    (folder.path / "dbt" / "half.json.part").write_text("{")
    return record


@pytest.fixture(params=["folder", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {
        "folder": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{tmp_path.name}/{request.param}",
    }[request.param]


def test_a_run_comes_back_on_another_machine(tmp_path: Path, store: str) -> None:
    here, there = _machine(tmp_path / "a", store), _machine(tmp_path / "b", store)
    assert last_published(here) is None
    _made(here, "one", "2026-01-01T00:00:00+00:00")
    push_run(here, "one")
    assert last_published(there) == "one"
    folder = fetch_run(there, "one")
    assert folder == there.runs_dir / "one"
    assert json.loads((folder / "dbt" / "manifest.json").read_text()) == {"of": "one"}
    assert read_run(there.runs_dir, "one") == read_run(here.runs_dir, "one")
    assert not list(folder.rglob("*.part"))


def test_what_readers_have_is_the_latest_switch_and_who_built_it(tmp_path: Path) -> None:
    for settings in (_machine(tmp_path / "a", str(tmp_path / "s")), _machine(tmp_path / "b", None)):
        for record in (
            _made(settings, "built", "2026-01-01T00:00:00+00:00"),
            _made(settings, "newer", "2026-01-02T00:00:00+00:00"),
            _made(settings, "back", "2026-01-03T00:00:00+00:00", built_by="built"),
            _made(settings, "nothing"),
        ):
            push_run(settings, record.run_id)
        push_run(settings, "newer")  # late
        assert last_published(settings) == "built"


def test_a_run_that_was_copied_by_half_is_none(tmp_path: Path) -> None:
    here, there = (_machine(tmp_path / name, str(tmp_path / "s")) for name in "ab")
    _made(here, "one")
    push_run(here, "one")
    (tmp_path / "s" / "runs" / "one" / "run.json").unlink()  # killed before the last file
    with pytest.raises(ConfigurationError, match="no run one, here or in"):
        fetch_run(there, "one")
    assert not (there.runs_dir / "one").exists()


def test_a_run_that_is_over_is_not_fetched_again(tmp_path: Path) -> None:
    here = _machine(tmp_path / "a", str(tmp_path / "s"))
    _made(here, "one")
    assert fetch_run(here, "one") == here.runs_dir / "one"  # the store was never asked
    with pytest.raises(ConfigurationError, match="ECLUSE_ARTIFACTS"):
        fetch_run(replace(here, artifacts=None), "other")


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        ("s3://bucket/x", ConfigurationError, "s3fs"),
        ("nosuch://bucket", ConfigurationError, "kind 'nosuch'"),
        ("ftp://me:secret@127.0.0.1:9/x", StoreFailed, "ftp://127.0.0.1:9/x"),
    ],
)
def test_errors_say_what_to_do_and_no_secret(
    tmp_path: Path, url: str, kind: type[Exception], says: str
) -> None:
    settings = _machine(tmp_path, url)
    record = _made(settings, "one")
    with pytest.raises(kind) as caught:
        push_run(settings, "one")
    assert says in str(caught.value)
    assert "secret" not in str(caught.value) + said(settings) + repr(settings)
    push_at_the_end(settings, record, RunFolder(settings.runs_dir, "one"))
    (note,) = read_run(settings.runs_dir, "one")["notes"]
    assert note.startswith("the artifacts were not copied: ")
    assert "secret" not in note


def test_a_disk_without_room_or_rights_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = _machine(tmp_path, str(tmp_path / "file" / "below"))
    record = _made(settings, "one")
    push_at_the_end(settings, record, RunFolder(settings.runs_dir, "one"))
    assert "Not a directory" in record.notes[0]


def test_a_store_holds_its_record_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _machine(tmp_path, f"memory://{tmp_path.name}")
    _made(settings, "one")
    kind, order = type(fsspec.filesystem("memory")), []
    put, move = kind.put_file, kind.mv

    def noted(self: object, local: str, remote: str, **options: object) -> None:
        order.append(remote.rpartition("/")[2])
        put(self, local, remote, **options)

    def moved(self: object, old: str, new: str, **options: object) -> None:
        order.append(new.rpartition("/")[2])
        move(self, old, new, **options)

    monkeypatch.setattr(kind, "put_file", noted)
    monkeypatch.setattr(kind, "mv", moved)
    push_run(settings, "one")
    assert order == ["manifest.json", "run.json"]
