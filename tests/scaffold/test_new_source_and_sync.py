"""A source that nobody has written a line for: found, written, loaded, built, kept in step."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.ingestion.probe.habits import Habits, tickets
from tests.newcomer import copy_project, ecluse

pytestmark = pytest.mark.slow

NAME = "ticket_office"
SECRET = {"SOURCES__TICKET_OFFICE__API_TOKEN": "opensesame"}


@pytest.fixture(scope="module")
def api() -> Iterator[Habits]:
    with Habits() as habits:
        habits.header = ("Authorization", "Bearer opensesame")
        habits.tables = {"tickets": tickets(), "agents": habits.tables["agents"],
                         "readings": habits.tables["readings"]}  # fmt: skip
        yield habits


@pytest.fixture(scope="module")
def desk(server: Warehouse) -> Warehouse:
    return make_database(server)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only source is to come: a run of it takes seconds."""
    root = copy_project(tmp_path_factory.mktemp("desk") / "clone")
    models = root / "dbt_project" / "models"
    for folder in (root / "ingestion" / "sources", models / "staging"):
        for source in folder.iterdir():
            if source.is_dir():
                shutil.rmtree(source)
    shutil.rmtree(models / "intermediate")
    for path in (root / "dbt_project" / "tests").glob("*.sql"):
        path.unlink()
    marts = models / "marts"
    shutil.rmtree(marts)
    marts.mkdir()
    marts.joinpath("tickets.sql").write_text(
        "select cast(ticket_id as integer) as ticket_id, status from "
        "{{ ref('stg_ticket_office__tickets') }}\n"
    )
    marts.joinpath("_tickets.yml").write_text(
        "models: [{name: tickets, columns: [{name: ticket_id, data_type: integer},"
        " {name: status, data_type: text}]}]\n"
    )
    return root


@pytest.fixture(scope="module")
def written(project: Path, api: Habits) -> Path:
    done = ecluse(project, "new", "source", NAME, "--url", f"{api.url}/tokens", "--auth", "bearer",
                  **SECRET)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "tickets (tickets): 16 columns, 2 nested lists, from 730 rows" in done.stdout
    assert "? taken for personal data, and masked: customer__name, customer__email" in done.stdout
    assert "ecluse ingest ticket_office" in done.stdout
    return project


def _files(root: Path) -> list[Path]:
    places = [root / "ingestion" / "sources" / NAME,
              root / "dbt_project" / "models" / "staging" / NAME]  # fmt: skip
    return [path for place in places for path in place.rglob("*") if path.is_file()]


def test_the_written_files_please_every_linter_and_hold_no_secret(written: Path) -> None:
    assert not [path for path in _files(written) if "opensesame" in path.read_text()]
    for name in (".sqlfluff", "pyproject.toml"):
        shutil.copy2(ROOT / name, written / name)
    source = f"ingestion/sources/{NAME}"
    for command in (
        ["ruff", "check", source],
        ["ruff", "format", "--check", source],
        ["mypy", "--follow-imports=skip", "--config-file=", f"{source}/contract.py",
         f"{source}/__init__.py"],
        ["sqlfluff", "lint", f"dbt_project/models/staging/{NAME}"],
    ):  # fmt: skip
        done = subprocess.run([sys.executable, "-m", *command], cwd=written, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_not_written_over_without_force_nor_in_a_dry_run(written: Path, api: Habits) -> None:
    before = {path: path.read_text() for path in _files(written)}
    args = ("new", "source", NAME, "--url", f"{api.url}/tokens/agents", "--auth", "bearer")
    refused = ecluse(written, *args, **SECRET)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    shown = ecluse(written, *args, "--force", "--dry-run", **SECRET)
    assert shown.returncode == 0, shown.stderr
    assert "Would write" in shown.stdout
    assert {path: path.read_text() for path in _files(written)} == before


@pytest.fixture(scope="module")
def loaded(written: Path, api: Habits, desk: Warehouse) -> Path:
    """Two loads: in the second a ticket has changed, and has a column that is new."""
    first = ecluse(written, "ingest", NAME, warehouse=desk, **SECRET)
    assert first.returncode == 0, first.stderr + first.stdout
    changed = api.tables["tickets"][0]
    changed |= {"status": "gone", "channel": "mail", "updated_at": "2024-12-31T00:00:00Z"}
    second = ecluse(written, "ingest", NAME, warehouse=desk, **SECRET)
    assert second.returncode == 0, second.stderr + second.stdout
    assert "tickets 1" in second.stdout
    return written


def test_sync_finds_what_drifted_and_adds_what_is_new(loaded: Path) -> None:
    assert "new, not in sources.yml and its staging view" in _check(loaded, 3)
    done = ecluse(loaded, "sync", NAME)
    assert done.returncode == 0, done.stderr
    assert "In step: ticket_office" in _check(loaded, 0)
    sql = (loaded / f"dbt_project/models/staging/{NAME}/stg_{NAME}__tickets.sql").read_text()
    assert "        -- added\n        channel,\n" in sql


def test_all_of_it_is_built_published_and_exact(loaded: Path, api: Habits, desk: Warehouse) -> None:
    ecluse(loaded, "sync")
    done = ecluse(loaded, "run", warehouse=desk, **SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = api.tables["tickets"]
    found = query(desk, "select ticket_id, ticket_code, status, price, fee, score, urgent, due, "
                  "customer_email, customer_address_city, channel, zip, updated_at "
                  "from staging.stg_ticket_office__tickets order by ticket_id")  # fmt: skip
    assert [_plain(row) for row in found] == [
        (t["id"], t["ticketCode"], t["status"], float(t["price"]), float(t["fee"]), t["score"],
         t["urgent"], t["due"], t["customer"]["email"],
         (t["customer"]["address"] or {}).get("city"), t.get("channel"), t["zip"],
         t["updated_at"][:-1])
        for t in wanted
    ]  # fmt: skip
    lines = query(desk, "select ticket_id, list_position, sku, quantity from "
                  "staging.stg_ticket_office__ticket_lines order by 1, 2")  # fmt: skip
    assert lines == [(t["id"], n, line["sku"], line["quantity"])
                     for t in wanted for n, line in enumerate(t["lines"])]  # fmt: skip
    tags = query(desk, "select count(*) from staging.stg_ticket_office__ticket_tags")
    assert tags == [(sum(len(t["tags"]) for t in wanted),)]
    different = {json.dumps(row, sort_keys=True) for row in api.tables["readings"]}
    readings = query(desk, "select count(*) from staging.stg_ticket_office__readings")
    assert readings == [(len(different),)]
    assert query(desk, "select count(*) from marts.tickets") == [(len(wanted),)]


def test_a_column_that_is_gone_breaks_the_models_that_are_named(
    loaded: Path, desk: Warehouse
) -> None:
    contract = loaded / "ingestion" / "sources" / NAME / "contract.py"
    kept = contract.read_text()
    contract.write_text(kept.replace('Column("status", "text"', 'Column("status", "whole"'))
    said = _check(loaded, 3)
    contract.write_text(kept)
    assert (
        "tickets.status: text in raw, bigint by the contract; breaks stg_ticket_office__tickets"
        in said
    )
    assert "tickets" in said.partition("breaks stg_ticket_office__tickets, ")[2]


def _check(root: Path, code: int) -> str:
    done = ecluse(root, "sync", NAME, "--check")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        value.isoformat() if hasattr(value, "isoformat")
        else float(value) if hasattr(value, "as_tuple") else value
        for value in row
    )  # fmt: skip
