"""One small project with a good and a bad run, the site made of it, and one browser for all."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.errors import DataRejected
from orchestration.lineage.graph import DIRECT, INDIRECT, Column, Edge, Graph, Node
from orchestration.warehouse import Warehouse
from tests.databases import make_database
from tests.newcomer import own_environment
from tests.orchestration.small import SmallPipe, load
from tests.site.browser import CHROMIUM, Tab, browser

EVIL = "<script>window.hacked = true</script>"
MODELS = """
models:
  - name: orders
    description: "One row per order. EVIL"
    config:
      meta: {owner: sales}
      indexes: [{columns: [id], unique: true}]
    columns:
      - {name: id, data_type: integer, description: "The `id`.", data_tests: [unique, not_null]}
      - name: amount
        data_type: integer
        description: Who paid what, and so personal.
        config: {tags: [pii]}
exposures:
  - name: dashboard
    label: A dashboard
    type: dashboard
    owner: {name: Sales, email: sales@example.com}
    depends_on: [ref('orders')]
    config: {meta: {columns: {orders: [id]}}}
"""
BAD = "select id, amount, amount as other_name from {{ ref('orders') }} where amount < 0\n"
ODD = """{{ config(severity='warn') }}
select id, 'EVIL' as remark from {{ ref('stg_shop__orders') }} where amount > 100
"""
SECRET = -7654321  # the personal value that no page may show


@dataclass(frozen=True)
class Built:
    """The site of the small project. `first` is the run that was published, `last` was rejected."""

    pipe: SmallPipe
    site: Path
    first: str
    last: str


@pytest.fixture(scope="session")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Two runs: one is published, one rejected."""
    with own_environment():
        pipe = SmallPipe(tmp_path_factory.mktemp("site") / "p", make_database(server))
        pipe.write("models/marts/_models.yml", MODELS.replace("EVIL", EVIL))
        pipe.write("tests/no_negative_amount.sql", BAD)
        pipe.write("tests/no_large_amount.sql", ODD.replace("EVIL", EVIL))
        pipe.run_id = "first"
        pipe.run()
        load(pipe.warehouse, 5, SECRET, 500)
        pipe.run_id = "last"
        with pytest.raises(DataRejected), pipe.open() as run:
            small_graph().save(run.folder.path / "lineage.json")
            _build_and_publish(run)
        yield Built(pipe, pipe.root / "site", "first", "last")


def _build_and_publish(run: object) -> None:
    from orchestration.steps import whole_run
    from orchestration.workflow import execute

    steps = tuple(s for s in whole_run(run) if s.name in {"build", "publish"})
    execute(steps, run.record, run.changed, run.try_again)


def small_graph() -> Graph:
    """From an endpoint to an exposure, with a quarantine and a filter."""
    nodes = [
        Node("endpoint.shop.orders", "endpoint", "api", "orders", "/orders",
             columns=(Column("$.id"), Column("$.amount"))),
        Node("raw.shop.orders__rejected", "quarantine", "raw", "orders__rejected",
             columns=(Column("content", "jsonb"),)),
        Node("source.ecluse.shop.orders", "raw", "raw", "orders", "raw_shop.orders",
             columns=(Column("id", "integer"), Column("amount", "integer", EVIL))),
        Node("model.ecluse.orders", "model", "marts", "orders", "marts.orders", "Sales", EVIL,
             (Column("id", "integer"), Column("amount", "integer", pii=True))),
        Node("exposure.ecluse.dashboard", "exposure", "exposures", "A dashboard",
             columns=(Column("orders.id"),), unknown="its SQL is not ours"),
    ]  # fmt: skip
    api, _, raw, mart, board = (node.id for node in nodes)
    edges = [
        Edge(api, "$.id", raw, "id", DIRECT), Edge(api, "$.amount", raw, "amount", DIRECT),
        Edge(raw, "id", mart, "id", DIRECT), Edge(raw, "amount", mart, "amount", DIRECT),
        Edge(raw, "amount", mart, None, INDIRECT), Edge(mart, "id", board, "orders.id", DIRECT),
        Edge(api, None, "raw.shop.orders__rejected", None, INDIRECT),
    ]  # fmt: skip
    return Graph({node.id: node for node in nodes}, edges)


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab of a browser without a way out."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt install chromium")
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="session")
def copied(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as somebody gets it by mail: another folder, with a space in its name."""
    return Path(shutil.copytree(built.site, tmp_path_factory.mktemp("mailed") / "my site"))
