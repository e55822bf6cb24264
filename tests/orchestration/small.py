"""A project of one source, one staging model and one mart: real dbt in a second, not ten."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.console import Console
from orchestration.run import Run, recorded_run
from orchestration.settings import ROOT, Settings
from orchestration.steps import deployment, publication, rollback, whole_run
from orchestration.warehouse import Warehouse
from orchestration.workflow import Step, execute
from tests.databases import query
from tests.newcomer import settings_for

STAGING = "select id, amount from {{ source('shop', 'orders') }}\n"
MART = "select id, amount from {{ ref('stg_shop__orders') }}\n"
SOURCES = """
sources:
  - name: shop
    schema: raw_shop
    config:
      loaded_at_field: loaded_at
      freshness: {warn_after: {count: 1, period: day}, error_after: {count: 9, period: day}}
    tables: [{name: orders}]
"""
MODELS = """
models:
  - name: orders
    columns:
      - {name: id, data_type: integer, data_tests: [unique, not_null]}
      - {name: amount, data_type: integer}
unit_tests:
  - name: amounts_are_passed_on
    model: orders
    given:
      - {input: ref('stg_shop__orders'), rows: [{id: 1, amount: 5}]}
    expect: {rows: [{id: 1, amount: 5}]}
"""
NO_NEGATIVE = "select * from {{ ref('orders') }} where amount < 0\n"
NO_LARGE = "{{ config(severity='warn') }}\nselect * from {{ ref('orders') }} where amount > 100\n"

_parses: dict[Warehouse, dict[Path, bytes]] = {}


def write_small_models(root: Path) -> None:
    """Put the small models and tests in the place of the real ones."""
    dbt = root / "dbt_project"
    for folder in ("models", "tests"):
        shutil.rmtree(dbt / folder, ignore_errors=True)
    files = {
        "models/staging/stg_shop__orders.sql": STAGING,
        "models/staging/_sources.yml": SOURCES,
        "models/marts/orders.sql": MART,
        "models/marts/_models.yml": MODELS,
        "tests/no_negative_amount.sql": NO_NEGATIVE,
        "tests/no_large_amount.sql": NO_LARGE,
    }
    for name, text in files.items():
        (dbt / name).parent.mkdir(parents=True, exist_ok=True)
        (dbt / name).write_text(text)


def sleep_in_the_mart(root: Path) -> None:
    """A mart that takes half a minute; no unit test, which would sleep too."""
    models = root / "dbt_project" / "models" / "marts"
    (models / "orders.sql").write_text("select 1 as id, 2 as amount from pg_sleep(30)\n")
    (models / "_models.yml").write_text(MODELS.partition("unit_tests:")[0])


def make_small_project(root: Path) -> Path:
    """The real dbt_project.yml, profiles and macros around the small models."""
    (root / "dbt_project").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy2(ROOT / name, root / name)
    shutil.copytree(ROOT / "dbt_project" / "macros", root / "dbt_project" / "macros")
    write_small_models(root)
    return root


def load(warehouse: Warehouse, *amounts: int | None) -> None:
    """What ingestion would have brought: an order for each amount, loaded just now."""
    query(
        warehouse,
        "create schema if not exists raw_shop; "
        "create table if not exists raw_shop.orders (id int, amount int, loaded_at timestamptz); "
        "truncate raw_shop.orders; insert into raw_shop.orders "
        "select n, a, now() from unnest(%s::int[]) with ordinality as t(a, n); select 1",
        list(amounts),
    )


class SmallPipe:
    """The small project on a warehouse of its own, and the steps of a run without ingestion."""

    def __init__(self, root: Path, warehouse: Warehouse) -> None:
        self.root, self.warehouse = make_small_project(root), warehouse
        self.run_id = ""
        self.variables: dict[str, str] = {}
        self._take_parses()
        load(warehouse, 5, 7)

    @property
    def settings(self) -> Settings:
        variables = {"ECLUSE_PUBLISH_TIMEOUT_SECONDS": "1", "ECLUSE_RUN_ID": self.run_id}
        return settings_for(self.root, self.warehouse, **variables, **self.variables)

    def write(self, name: str, text: str) -> None:
        """Change a file of dbt_project."""
        (self.root / "dbt_project" / name).write_text(text)

    def publish_by_hand(self) -> None:
        """Marts as an earlier run would have left them, without the seconds of a run."""
        marts = "create schema marts; create table marts.orders as select n as id, a as amount "
        marts += "from unnest(array[5, 7]) with ordinality as t(a, n); select 1"
        query(self.warehouse, marts)

    def sleep_in_the_mart(self) -> None:
        """Give a test time to interrupt the build."""
        sleep_in_the_mart(self.root)

    @contextmanager
    def open(self) -> Iterator[Run]:
        """A recorded run that says nothing."""
        with recorded_run(self.settings, "run", Console(quiet=True)) as run:
            yield run

    def run(self, *leave_out: str) -> Run:
        """Build, publish, collect: what `ecluse run` does after ingestion."""
        return self.perform(whole_run, "ingest", *leave_out)

    def perform(self, plan: Callable[[Run], tuple[Step, ...]], *leave_out: str) -> Run:
        """A recorded run of the steps that `plan` makes."""
        try:
            with self.open() as run:
                steps = tuple(step for step in plan(run) if step.name not in leave_out)
                execute(steps, run.record, run.changed, run.try_again)
            return run
        finally:
            self._keep_parses()

    def publish(self, built_by: str) -> Run:
        """`ecluse publish`, without the docs."""
        return self.perform(lambda run: publication(run, built_by), "collect")

    def roll_back(self, to: str = "previous", hold: bool = False) -> Run:
        """`ecluse rollback`."""
        return self.perform(lambda run: rollback(run, to, hold))

    def deploy(self, full: bool = False) -> Run:
        """`ecluse deploy`, without the docs."""
        return self.perform(lambda run: deployment(run, full), "collect")

    def _take_parses(self) -> None:
        """Start from dbt's parse of an earlier pipe on this warehouse: dbt's own 500 macros."""
        for path, parse in _parses.get(self.warehouse, {}).items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(parse)

    def _keep_parses(self) -> None:
        kept = _parses.setdefault(self.warehouse, {})
        for path in (self.root / "target").rglob("partial_parse.msgpack"):
            kept.setdefault(path.relative_to(self.root), path.read_bytes())

    def amounts(self, schema: str = "marts") -> list[int]:
        """What readers see."""
        return [
            n for (n,) in query(self.warehouse, f"select amount from {schema}.orders order by id")
        ]
