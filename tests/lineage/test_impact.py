"""`ecluse impact` on a real project: against what is published, and against a commit."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.registry import SOURCES
from orchestration.errors import BreakingChange, BuildBroke, ConfigurationError
from orchestration.impact import show_impact
from orchestration.lineage.newest import newest_graph
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.newcomer import own_environment
from tests.orchestration.small import MART, SmallPipe

pytestmark = pytest.mark.slow

ORDERS = "models/marts/orders.sql"


@pytest.fixture(scope="module")
def published(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPipe]:
    """The small project, published once and committed."""
    with own_environment():
        pipe = SmallPipe(tmp_path_factory.mktemp("impact") / "root", make_database(server))
        for name in SOURCES:
            contract = Path("ingestion", "sources", name, "contract.py")
            (pipe.root / contract).parent.mkdir(parents=True)
            shutil.copy2(ROOT / contract, pipe.root / contract)
        pipe.run()
        for command in ("init -q -b main", "add dbt_project dbt_project.yml ingestion",
                        "-c user.name=x -c user.email=x@example.com commit -qm x"):  # fmt: skip
            subprocess.run(["git", "-C", str(pipe.root), *command.split()], check=True)
        yield pipe


@pytest.fixture
def pipe(published: SmallPipe) -> Iterator[SmallPipe]:
    yield published
    published.write(ORDERS, MART)


def impact(pipe: SmallPipe, said: pytest.CaptureFixture[str], base: str | None = None) -> dict:
    said.readouterr()
    show_impact(pipe.settings, base, as_json=True, fail=False)
    found: dict = json.loads(said.readouterr().out)
    return found


def test_a_run_leaves_its_lineage_in_its_folder_and_in_ops(pipe: SmallPipe) -> None:
    graph = newest_graph(pipe.settings.runs_dir)
    edges = query(pipe.warehouse, "select e.* from ops.runs r join ops.lineage_edges e "
                                  "on e.graph = r.lineage")  # fmt: skip
    assert len(edges) == len(graph.edges) > 4
    assert ("source.ecluse.shop.orders", "amount", "model.ecluse.stg_shop__orders", "amount",
            "direct") in [edge[1:] for edge in edges]  # fmt: skip


def test_nothing_and_a_comment_reach_nothing(
    pipe: SmallPipe, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe.write(ORDERS, "-- a comment\n" + MART.replace("id, amount", "id,\n    amount"))
    show_impact(pipe.settings, None, as_json=False, fail=True)
    assert capsys.readouterr().out.startswith("Nothing differs from the published marts: ")


@pytest.mark.parametrize("base", [None, "main"])
def test_a_changed_column_is_found_against_both(
    pipe: SmallPipe, capsys: pytest.CaptureFixture[str], base: str | None
) -> None:
    pipe.write(ORDERS, MART.replace("amount", "amount + 1 as amount", 1))
    found = impact(pipe, capsys, base)
    assert found["base"] == (base or "the published marts")
    changed = [(each["label"], each["kind"]) for each in found["changes"]]
    assert changed == [("marts.orders.amount", "changed")]
    assert found["columns"] == {"marts.orders": ["amount"]}


def test_a_published_column_that_would_be_gone_can_fail_a_build(
    pipe: SmallPipe, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe.write(ORDERS, MART.replace("id, amount", "id"))
    with pytest.raises(BreakingChange, match=r"Readers would miss marts\.orders\.amount:") as error:
        show_impact(pipe.settings, None, as_json=False, fail=True)
    assert error.value.exit_code == 3
    assert "  marts.orders.amount: is gone\n" in capsys.readouterr().out


def test_what_cannot_be_compared_is_said(pipe: SmallPipe) -> None:
    with pytest.raises(ConfigurationError, match="git does not know 'no-such-branch' here"):
        show_impact(pipe.settings, "no-such-branch", as_json=False, fail=False)
    pipe.write(ORDERS, "select {{ nonsense( }}")
    with pytest.raises(BuildBroke):
        show_impact(pipe.settings, None, as_json=False, fail=False)


def test_a_project_that_never_ran_is_compared_with_where_it_left_main(
    pipe: SmallPipe, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Path(pipe.root / "target" / "published")
    kept.rename(kept.with_name("elsewhere"))
    try:
        pipe.write(ORDERS, MART.replace("id, amount", "id, amount, 1 as one"))
        assert "marts.orders.one" in [each["label"] for each in impact(pipe, capsys)["changes"]]
    finally:
        kept.with_name("elsewhere").rename(kept)
