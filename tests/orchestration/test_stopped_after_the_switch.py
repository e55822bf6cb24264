"""A run that is stopped when readers have the new marts and its record does not know it yet."""

import os
import signal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from orchestration.records import DEAD, read_run
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.marts import build, version_in
from tests.orchestration.small import SmallPipe

BEFORE_THE_SWITCH = "orchestration.publication.switch.wait_for_old_snapshots"
AFTER_THE_SWITCH = "orchestration.publication.switch.drop_unneeded"


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> SmallPipe:
    """Marts that passed wait to be published."""
    build(warehouse, 1)
    return SmallPipe(tmp_path / "p", warehouse)


def told(pipe: SmallPipe, run_id: str) -> tuple[Any, ...]:
    """How the run ended, and which version it says that it published; ops says the same."""
    run = read_run(pipe.settings.runs_dir, run_id)
    end = run["status"], run["exit_code"], run["reason"]
    says = "select status, exit_code, reason from ops.runs where run_id = %s"
    assert query(pipe.warehouse, says, run_id) == [end]
    return (*end, run["published"] and run["published"]["version"])


def publish_and_die(pipe: SmallPipe, instant: str) -> None:
    """kill -9 of the run `first` where it calls the function `instant`."""
    pipe.run_id = "first"
    child = os.fork()
    if not child:
        try:
            with patch(instant, lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
                pipe.publish("run-1")
        finally:
            os._exit(1)  # never: it is dead
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_run_that_is_interrupted_right_after_its_switch_has_published(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt(signal.SIGTERM)

    monkeypatch.setattr(AFTER_THE_SWITCH, interrupt)
    pipe.run_id = "first"
    with pytest.raises(KeyboardInterrupt):
        pipe.publish("run-1")
    assert version_in(pipe.warehouse) == 1
    assert told(pipe, "first") == ("published", 143, "interrupted", 1)


def test_a_run_that_is_killed_right_after_its_switch_is_told_as_published_by_the_next(
    pipe: SmallPipe,
) -> None:
    publish_and_die(pipe, AFTER_THE_SWITCH)
    assert version_in(pipe.warehouse) == 1
    assert read_run(pipe.settings.runs_dir, "first")["status"] == "running"
    build(pipe.warehouse, 2)
    pipe.run_id = "second"
    assert "run first was found dead after it had published" in pipe.publish("run-2").record.notes
    assert told(pipe, "first") == ("published", None, DEAD, 1)
    assert told(pipe, "second") == ("published", 0, None, 2)


def test_a_run_that_is_killed_before_its_switch_is_aborted(
    pipe: SmallPipe,
) -> None:
    publish_and_die(pipe, BEFORE_THE_SWITCH)
    pipe.run_id = "second"
    assert "run first was found dead and is marked as aborted" in pipe.publish("run-1").record.notes
    assert told(pipe, "first") == ("aborted", None, DEAD, None)
