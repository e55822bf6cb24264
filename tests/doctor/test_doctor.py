"""`ecluse doctor`: what it finds on a machine that is well, and on ones that are not."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from orchestration import ops
from orchestration.doctor import Finding, examine, leftovers, machine, server, sources
from orchestration.settings import ROOT, Settings
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import copy_project, ecluse, settings_for


@pytest.fixture
def settings(tmp_path: Path, warehouse: Warehouse) -> Settings:
    return settings_for(tmp_path, warehouse)


def _server(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in server.look(settings)}


def _not_well(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.state != "well"]


def test_a_fresh_clone_is_well(tmp_path: Path, warehouse: Warehouse) -> None:
    clone = copy_project(tmp_path / "clone")
    shutil.copy(ROOT / "requirements.txt", clone)
    done = ecluse(clone, "doctor", warehouse=warehouse)
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout
    assert "leftovers  none: this warehouse has never seen a run" in done.stdout
    assert "packages   the " in done.stdout


def test_whoever_cannot_be_reached_is_said_with_what_to_do_and_exit_code_2(tmp_path: Path) -> None:
    clone = copy_project(tmp_path / "clone")
    url = "postgresql://me:geheim@127.0.0.1:1/nowhere"
    done = ecluse(clone, "doctor", "--json", ECLUSE_WAREHOUSE_URL=url)
    assert done.returncode == 2
    (broken,) = [each for each in json.loads(done.stdout) if each["state"] == "failed"]
    assert broken["check"] == "warehouse"
    assert broken["mend"]
    assert "geheim" not in done.stdout + done.stderr
    assert "1 of " in done.stderr


def test_a_setting_that_cannot_be_read_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECLUSE_KEEP_VERSIONS", "many")
    (only,) = examine()
    assert only.state == "failed"
    assert "ECLUSE_KEEP_VERSIONS" in only.said


def test_another_version_than_the_locked_one_is_named(tmp_path: Path, settings: Settings) -> None:
    lock = 'click==0.0.1 \\\n    --hash=sha256:00\nmsgspec==0.0.2 ; python_version < "3"\n'
    (tmp_path / "requirements.txt").write_text(lock)
    (found,) = _not_well(machine.look(settings))
    assert found.check == "packages"
    assert "(locked: ==0.0.1)" in found.said
    assert "msgspec" not in found.said


@pytest.mark.parametrize(("free", "state"), [(10**12, "well"), (2**30, "warned"), (1, "failed")])
def test_room_on_the_disk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    (disk,) = [each for each in machine.look(settings) if each.check == "disk"]
    assert disk.state == state


def test_a_port_that_is_taken_and_a_tool_that_is_missing_are_warnings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(machine, "PORT", taken.getsockname()[1])
        monkeypatch.setattr(machine, "TOOLS", {"no-such-tool": "nothing works"})
        found = {each.check: each for each in _not_well(machine.look(settings))}
    assert found["ports"].state == found["tools"].state == "warned"
    assert found["tools"].mend == "install no-such-tool"


def test_a_login_without_rights_is_told_the_statement(tmp_path: Path, warehouse: Warehouse) -> None:
    query(warehouse, "drop role if exists plain; create role plain login; select 1")
    plain = settings_for(tmp_path, replace(warehouse, user="plain"))
    rights = [each for each in server.look(plain) if each.check == "rights"]
    assert [each.state for each in rights] == ["failed", "warned", "warned"]
    who, _, statement = str(rights[0].mend).partition(": ")
    assert who == "let its owner run"
    query(warehouse, f"{statement} select 1")
    rights = [each for each in server.look(plain) if each.check == "rights"]
    assert [each.state for each in rights] == ["warned", "warned"]
    query(warehouse, "drop owned by plain; drop role plain; select 1")


def test_a_database_in_another_encoding_fails(tmp_path: Path, warehouse: Warehouse) -> None:
    make = "create database latin encoding 'LATIN1' locale 'C' template template0"
    with warehouse.session() as session, session.cursor() as cursor:
        cursor.execute(make)
    latin = replace(warehouse, dbname="latin")
    assert "LATIN1, not UTF8" in _server(settings_for(tmp_path, latin))["warehouse"].said


def test_clocks_that_are_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(server.time, "time", lambda: real() + 90)
    found = _server(settings)["clock"]
    assert found.state == "warned"
    assert "90 s apart" in found.said


def test_the_loaders_own_login_is_tried(tmp_path: Path, warehouse: Warehouse) -> None:
    wrong = "postgresql://nobody_such:x@127.0.0.1:1/db"
    found = _server(settings_for(tmp_path, warehouse, ECLUSE_LOADER_URL=wrong))["loader"]
    assert found.state == "failed"
    assert "ECLUSE_LOADER_URL" in found.said


def test_what_dead_runs_left(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        ops.create_tables(session)
        assert [each.state for each in leftovers.look(settings, session)] == ["well"]
    query(
        warehouse,
        "insert into ops.runs (run_id, kind, status, started_at) "
        "values ('dead-1', 'run', 'running', now()); create schema marts__v7__old; "
        "create schema marts__v3; insert into ops.versions (version, schema_name) "
        "values (3, 'marts__v3'); select 1",
    )
    half = settings.runs_dir / "dead-1" / "run.json.part"
    half.parent.mkdir(parents=True)
    half.touch()
    with warehouse.session() as session:
        said = [each.said for each in leftovers.look(settings, session)]
    assert said == [
        "run dead-1 never ended",
        "the schema marts__v7__old belongs to no version",
        "1 half-written files in runs/",
    ]


class _Api(BaseHTTPRequestHandler):
    """Answers what its server was told to."""

    def do_GET(self) -> None:
        self.send_response_only(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Date", self.server.date)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def _answering(status: int, date: str) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as peer:
        peer.status, peer.date = status, date  # type: ignore[attr-defined]
        Thread(target=peer.serve_forever, daemon=True).start()
        yield f"http://me:geheim@127.0.0.1:{peer.server_address[1]}/api"
        peer.shutdown()


OLD = "Tue, 01 Jan 2019 00:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "states"),
    [(200, ["well", "warned"]), (401, ["well", "warned"]), (503, ["warned"] * 2)],
)
def test_an_api_is_asked_and_its_clock_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, states: list[str]
) -> None:
    with _answering(status, OLD) as url:
        monkeypatch.setenv("SOURCES__JAFFLE_SHOP__BASE_URL", url)
        found = [each for each in sources.look(settings) if "127.0.0.1" in each.said]
    assert [each.state for each in found] == states
    assert found[1].check == "clock"
    assert "geheim" not in str(found)


def test_an_api_that_is_not_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__JAFFLE_SHOP__BASE_URL", "http://me:geheim@127.0.0.1:1/api")
    (found,) = _not_well(sources.look(settings))
    assert found.state == "failed"
    assert "SOURCES__JAFFLE_SHOP__BASE_URL" in str(found.mend)
    assert "geheim" not in str(found)
