"""Days of the small pipe with real dbt: what its YAML asks for blocks, is accepted, publishes."""

from pathlib import Path

import pytest

from orchestration.drift.accepting import accept
from orchestration.errors import BAD_DATA, DataRejected
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.small import MODELS, SmallPipe, load

pytestmark = pytest.mark.slow
BLOCK = "  - name: orders\n    config: {meta: {drift: {severity: block, ignore: [id]}}}\n"
# Twelve days of runs before the first, with what the first has measured.
EARLIER = """
with runs as (
    insert into ops.runs (run_id, kind, status, started_at)
    select 'day' || n, 'run', 'published', now() from generate_series(1, 12) as n returning run_id
)
insert into ops.metrics (run_id, table_name, column_name, metric, value, at, state)
select r.run_id, table_name, column_name, metric, value,
       at - substr(r.run_id, 4)::int * interval '1 day', state
from ops.metrics, runs as r returning 1
"""


def test_a_flood_is_blocked_accepted_and_published(tmp_path: Path, warehouse: Warehouse) -> None:
    pipe = SmallPipe(tmp_path / "project", warehouse)
    pipe.write("models/marts/_models.yml", MODELS.replace("  - name: orders\n", BLOCK, 1))
    assert not pipe.run("collect").record.drifts
    raw = query(warehouse, "select metric from ops.metrics where table_name = 'raw_shop.orders'")
    assert raw == [("lag_minutes",)]  # this run has loaded nothing
    query(warehouse, EARLIER)
    load(warehouse, *[5, 7] * 20)
    with pytest.raises(DataRejected, match=r"marts\.orders drifts: ") as blocked:
        pipe.run("collect")
    assert blocked.value.exit_code == BAD_DATA
    assert pipe.amounts() == [5, 7]
    accept(pipe.settings, "orders", None)
    run = pipe.run("collect")
    assert (run.record.status, run.record.drifts) == ("published", [])
    assert pipe.amounts() == [5, 7] * 20
