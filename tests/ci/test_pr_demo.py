"""`make pr-demo`: the prepared change fits, and the report names exactly the wrong rows."""

import shutil
from pathlib import Path

import pytest

from ingestion.demo_api.serve import running
from orchestration.ci.demo import MODEL, copy_changed, demonstrate
from orchestration.errors import EcluseError
from orchestration.settings import ROOT
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.newcomer import ecluse, settings_for

MARTS = "select md5(string_agg(t::text, '' order by t::text)) from marts.customers as t"
ONCE = "select customer_id from marts.customers where count_lifetime_orders < 2 order by 1"
SCHEMAS = "select nspname from pg_namespace order by 1"


def test_the_prepared_change_fits_and_leaves_the_clone_alone(tmp_path: Path) -> None:
    before = (ROOT / MODEL).read_text()
    diff = copy_changed(ROOT, tmp_path / "copy")
    assert "-    left join orders_summed" in diff
    assert "+    inner join orders_summed" in diff
    assert (ROOT / MODEL).read_text() == before != (tmp_path / "copy" / MODEL).read_text()
    with pytest.raises(EcluseError, match="does not fit it any more"):
        copy_changed(tmp_path / "copy", tmp_path / "again")


@pytest.mark.long
def test_the_report_names_exactly_the_customers_that_the_join_loses(
    project: Path, warehouse: Warehouse, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shutil.copy2(ROOT / ".sqlfluff", project / ".sqlfluff")
    with running(orders=2_000, days=30) as url:
        done = ecluse(project, "run", warehouse=warehouse, SOURCES__JAFFLE_SHOP__BASE_URL=url)
    assert done.returncode == 0, done.stderr
    before, schemas = query(warehouse, MARTS), query(warehouse, SCHEMAS)
    wrong = [id_ for (id_,) in query(warehouse, ONCE)]
    assert wrong
    monkeypatch.setenv("ECLUSE_WAREHOUSE_URL", warehouse.url())
    capfd.readouterr()

    assert demonstrate(settings_for(project, warehouse), limit=1_000) == 3

    said = capfd.readouterr().out
    assert f"{len(wrong)} removed:" in said
    listed = said.partition(f"{len(wrong)} removed:")[2].partition("</details>")[0]
    assert [line.strip("|` ") for line in listed.splitlines() if line.startswith("| `")] == wrong
    assert (query(warehouse, MARTS), query(warehouse, SCHEMAS)) == (before, schemas)
