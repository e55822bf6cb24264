"""The run record on disk: whole at every instant, readable after every death."""

import json
import os
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.records import (
    OWN_ID,
    RunFolder,
    RunRecord,
    StepRecord,
    mark_dead_files,
    new_run_id,
    read_runs,
    to_json,
)
from tests.disks import small_disk


def save(runs: Path, run_id: str, status: str = "published", **more: object) -> RunRecord:
    record = RunRecord(run_id, "run", status=status, warehouse="here")
    for name, value in more.items():
        setattr(record, name, value)
    RunFolder(runs, run_id).save(record)
    return record


def status_of(runs: Path, run_id: str) -> str:
    return json.loads((runs / run_id / "run.json").read_text())["status"]


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_ids_sort_by_time_and_two_of_one_second_differ() -> None:
    now = datetime(2026, 2, 1, 9, 5, 7, tzinfo=UTC)
    ids = [new_run_id(now + timedelta(days=days)) for days in (0, 1, 40, 400)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260201T090507Z-")
    assert len({new_run_id(now) for _ in range(20)}) > 1
    assert all(OWN_ID.fullmatch(run_id) for run_id in ids)
    ids = [new_run_id(now + timedelta(milliseconds=part)) for part in (0, 1, 40, 400, 999)]
    assert ids == sorted(ids)


def test_a_record_is_json_with_times_that_python_reads_back(tmp_path: Path) -> None:
    record = save(tmp_path, "r1")
    record.steps.append(StepRecord("build", "done", "10 modèles", record.started_at))
    found = json.loads(to_json(record))
    assert datetime.fromisoformat(found["started_at"]) == record.started_at
    assert found["steps"][0]["detail"] == "10 modèles"
    assert found["finished_at"] is None


def test_a_record_knows_how_long_its_run_took() -> None:
    record = RunRecord("r", "run")
    record.started_at = datetime.now(UTC) - timedelta(seconds=10)
    assert 10 <= record.seconds < 12
    record.finished_at = record.started_at + timedelta(seconds=3)
    assert record.seconds == 3


def test_a_reader_never_sees_half_a_record(tmp_path: Path) -> None:
    record = save(tmp_path, "r1", notes=["x" * 1000] * 200)
    path, stop, broken = tmp_path / "r1" / "run.json", threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                json.loads(path.read_text())
            except ValueError as error:
                broken.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(150):
        RunFolder(tmp_path, "r1").save(record)
    stop.set()
    for reader in readers:
        reader.join()
    assert broken == []


def test_a_kill_between_two_writes_leaves_the_older_record(tmp_path: Path) -> None:
    save(tmp_path, "r1")
    (tmp_path / "r1" / "run.json.part").write_text('{"run_id": "r1", "sta')
    assert [run["run_id"] for run in read_runs(tmp_path)] == ["r1"]


@pytest.mark.parametrize(
    "rubbish", ["", "{", "[]", "null", "{}", '{"run_id": "another"}', "\x00\xff"]
)
def test_an_unreadable_record_is_left_out(tmp_path: Path, rubbish: str) -> None:
    save(tmp_path, "good")
    (tmp_path / "zz-bad").mkdir()
    (tmp_path / "zz-bad" / "run.json").write_bytes(rubbish.encode("latin-1"))
    assert [run["run_id"] for run in read_runs(tmp_path)] == ["good"]
    assert [run["run_id"] for run in read_runs(tmp_path, most=1)] == ["good"]
    assert mark_dead_files(tmp_path, RunRecord("me", "run")) == []


def test_runs_come_newest_first_and_no_more_than_asked(tmp_path: Path) -> None:
    for day in (3, 1, 2):
        save(tmp_path, f"2026010{day}T000000Z-abcd")
    assert [run["run_id"][7] for run in read_runs(tmp_path)] == ["3", "2", "1"]
    assert [run["run_id"][7] for run in read_runs(tmp_path, most=2)] == ["3", "2"]


def test_a_run_that_was_named_by_somebody_else_sorts_by_its_time_too(tmp_path: Path) -> None:
    save(tmp_path, "20260101T000000Z-abcd")
    save(tmp_path, "aaa-nightly")
    save(tmp_path, "20990101T000000Z-abcd")
    named = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "aaa-nightly" / "run.json", (named, named))
    assert [run["run_id"][:4] for run in read_runs(tmp_path)] == ["2099", "aaa-", "2026"]


def test_without_a_folder_there_are_no_runs(tmp_path: Path) -> None:
    assert read_runs(tmp_path / "never") == []


def test_a_dead_run_of_this_warehouse_is_marked_once(tmp_path: Path) -> None:
    save(tmp_path, "dead", "running")
    mine = save(tmp_path, "mine", "running")
    save(tmp_path, "done", "published", exit_code=0)
    assert mark_dead_files(tmp_path, mine) == ["dead"]
    assert [status_of(tmp_path, name) for name in ("dead", "mine", "done")] == [
        "aborted", "running", "published",
    ]  # fmt: skip
    assert mark_dead_files(tmp_path, mine) == []
    assert read_runs(tmp_path)[0].keys() == json.loads(to_json(mine)).keys()


def test_a_run_on_another_warehouse_or_host_may_well_be_alive(tmp_path: Path) -> None:
    save(tmp_path, "elsewhere", "running", warehouse="another database")
    save(tmp_path, "other-host", "running", host="another-host")
    assert mark_dead_files(tmp_path, save(tmp_path, "mine", "running")) == []


def test_a_run_that_waits_for_the_lock_is_dead_only_when_its_process_is(
    tmp_path: Path, dead_pid: int
) -> None:
    save(tmp_path, "patient", "waiting", pid=os.getppid())
    save(tmp_path, "killed", "waiting", pid=dead_pid)
    assert mark_dead_files(tmp_path, save(tmp_path, "mine", "running")) == ["killed"]
    assert status_of(tmp_path, "patient") == "waiting"


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="The run record cannot be written to") as caught:
        save(tmp_path / "runs", "r1")
    assert caught.value.exit_code == 2


def test_a_full_disk_is_a_sentence_and_the_older_record_stays_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        record = save(disk, "r1")
        with pytest.raises(ConfigurationError, match="No space left on device"):
            RunFolder(disk, "r1").save(replace(record, notes=["x" * 100_000]))
        assert read_runs(disk)[0]["notes"] == []
        assert [path.name for path in (disk / "r1").iterdir()] == ["run.json"]
