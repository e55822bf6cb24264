"""What readers see, as the steps of recorded runs: publish later, roll back, hold, deploy."""

from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError, DataRejected, PublishBlocked
from orchestration.publication.versions import all_versions
from orchestration.records import read_runs
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.small import MART, SmallPipe, load

pytestmark = pytest.mark.slow  # some dbt commands each
SECOND = "select id, 2 * amount as doubled from {{ ref('stg_shop__orders') }}\n"
NEW_MART = "select count(*) as n from {{ ref('orders') }}\n"


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse) -> SmallPipe:
    """Version 1 is published, by the run `first`."""
    pipe = SmallPipe(tmp_path / "p", warehouse)
    return as_run(pipe, "first", "run")


def as_run(pipe: SmallPipe, run_id: str, what: str, *args: object, **more: object) -> SmallPipe:
    """Let a run of this id do something; leaves the docs out."""
    pipe.run_id = run_id
    if what == "run":
        args = ("collect",)
    getattr(pipe, what)(*args, **more)
    return pipe


def record(pipe: SmallPipe, run_id: str) -> dict:
    return next(run for run in read_runs(pipe.settings.runs_dir) if run["run_id"] == run_id)


def live(pipe: SmallPipe) -> tuple[int, str | None]:
    with pipe.warehouse.session() as session, session.cursor() as cursor:
        return next((v.number, v.run_id) for v in all_versions(cursor) if v.state == "live")


def switches(pipe: SmallPipe) -> list[tuple]:
    return query(
        pipe.warehouse, "select run_id, kind, version, replaced from ops.switches order by 1"
    )


def test_what_a_reader_stopped_is_published_later_by_itself(pipe: SmallPipe) -> None:
    load(pipe.warehouse, 8)
    with pipe.warehouse.session() as reader, reader.cursor() as cursor:
        cursor.execute("begin; select * from marts.orders")
        with pytest.raises(PublishBlocked, match=r"`\.venv/bin/ecluse publish second`"):
            as_run(pipe, "second", "run")
    assert pipe.amounts() == [5, 7]
    as_run(pipe, "third", "publish", "second")
    assert pipe.amounts() == [8]
    assert live(pipe) == (2, "second")
    assert record(pipe, "third")["published"]["built_by"] == "second"
    assert ("third", "publication", 2, 1) in switches(pipe)


@pytest.mark.parametrize(
    ("run_id", "why"),
    [
        ("first", "it was published as version 1 on "),
        ("never", "it built none, or run second has built others in their place"),
        ("second", "its marts did not pass"),
    ],
)
def test_only_marts_that_passed_and_wait_are_published(
    pipe: SmallPipe, run_id: str, why: str
) -> None:
    load(pipe.warehouse, -8)
    with pytest.raises(DataRejected):
        as_run(pipe, "second", "run")
    with pytest.raises(ConfigurationError, match=why) as caught:
        as_run(pipe, "third", "publish", run_id)
    assert caught.value.exit_code == 2
    assert pipe.amounts() == [5, 7]


def test_a_rollback_is_a_run_of_its_own_and_the_next_run_says_that_it_undoes_it(
    pipe: SmallPipe,
) -> None:
    load(pipe.warehouse, 8)
    as_run(pipe, "second", "run")
    as_run(pipe, "undo", "roll_back")
    assert pipe.amounts() == [5, 7]
    done = record(pipe, "undo")
    assert (done["kind"], done["status"], done["published"]["version"]) == ("run", "published", 1)
    assert ("undo", "rollback", 1, 2) in switches(pipe)

    as_run(pipe, "third", "run")
    assert pipe.amounts() == [8]
    (note,) = record(pipe, "third")["notes"]
    assert note.startswith("this publication undoes a rollback: run undo rolled back to version 1")


def test_a_rollback_that_holds_is_published_over_only_when_that_is_asked_for(
    pipe: SmallPipe,
) -> None:
    load(pipe.warehouse, 8)
    as_run(pipe, "second", "run")
    as_run(pipe, "undo", "roll_back", hold=True)
    with pytest.raises(PublishBlocked, match=r"run undo rolled back to version 1 .* and holds it"):
        as_run(pipe, "third", "run")
    assert pipe.amounts() == [5, 7]
    as_run(pipe, "fourth", "publish", "third")
    assert (pipe.amounts(), live(pipe)) == ([8], (3, "third"))
    as_run(pipe, "fifth", "run")
    assert live(pipe) == (4, "fifth"), "the hold is over"


@pytest.mark.parametrize(("to", "said"), [("1", "it is live already"), ("9", "is not there")])
def test_a_rollback_to_nowhere_is_a_sentence(pipe: SmallPipe, to: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        as_run(pipe, "undo", "roll_back", to)
    assert caught.value.exit_code == 2


def test_what_a_dead_build_left_in_the_chamber_is_dropped_and_said(pipe: SmallPipe) -> None:
    load(pipe.warehouse, -8)
    with pytest.raises(DataRejected):
        as_run(pipe, "second", "run")
    load(pipe.warehouse, 9)
    as_run(pipe, "third", "run")
    assert record(pipe, "third")["notes"] == [
        "dropped the marts that run second had built and not published",
        "incident 1 is over: the test passes",
    ]


def add_second_mart(pipe: SmallPipe) -> None:
    pipe.write("models/marts/doubled.sql", "{{ config(contract={'enforced': false}) }}\n" + SECOND)


def oids(pipe: SmallPipe) -> dict[str, int]:
    found = "select relname, oid from pg_class where relnamespace = 'marts'::regnamespace "
    return dict(query(pipe.warehouse, found + "and relkind = 'r'"))


def test_a_deployment_builds_what_changed_and_copies_the_rest(pipe: SmallPipe) -> None:
    add_second_mart(pipe)
    as_run(pipe, "second", "deploy")
    done = record(pipe, "second")
    assert done["steps"][0]["detail"].startswith("1 models, 0 of 0 tests passed; 1 of 2 marts cop")
    assert [node["name"] for node in done["nodes"]] == ["doubled"]
    assert pipe.amounts() == [5, 7]
    assert query(pipe.warehouse, "select doubled from marts.doubled order by 1") == [(10,), (14,)]
    assert live(pipe) == (2, "second")


def test_a_deployment_builds_all_downstream_of_a_change_and_tests_it(pipe: SmallPipe) -> None:
    add_second_mart(pipe)
    as_run(pipe, "second", "deploy")
    changed = "select id, amount from {{ ref('stg_shop__orders') }} where true\n"
    pipe.write("models/marts/orders.sql", changed)
    as_run(pipe, "third", "deploy")
    built = {node["name"] for node in record(pipe, "third")["nodes"]}
    assert {"orders", "no_negative_amount", "unique_orders_id"} <= built
    assert "doubled" not in built
    assert "stg_shop__orders" not in built

    pipe.write("models/marts/orders.sql", MART.replace("amount\n", "-amount as amount\n").replace(
        "id, amount from", "id, -amount as amount from"))  # fmt: skip
    with pytest.raises(DataRejected):
        as_run(pipe, "fourth", "deploy")
    assert pipe.amounts() == [5, 7]


def test_a_deployment_of_nothing_publishes_nothing(pipe: SmallPipe) -> None:
    before = oids(pipe)
    as_run(pipe, "second", "deploy")
    done = record(pipe, "second")
    assert done["status"] == "passed"
    assert done["steps"][0]["detail"] == "no model differs from version 1, which readers have"
    assert oids(pipe) == before


def test_a_mart_whose_model_is_gone_is_gone_with_the_deployment(pipe: SmallPipe) -> None:
    add_second_mart(pipe)
    as_run(pipe, "second", "deploy")
    (pipe.root / "dbt_project" / "models" / "marts" / "doubled.sql").unlink()
    as_run(pipe, "third", "deploy")
    assert set(oids(pipe)) == {"orders"}


def test_a_copy_has_the_rows_indexes_and_rights_of_what_it_was_copied_from(
    pipe: SmallPipe,
) -> None:
    pipe.write("models/marts/orders.sql", "{{ config(indexes=[{'columns': ['id'], 'unique': true}])"
               " }}\n" + MART)  # fmt: skip
    as_run(pipe, "second", "run")
    query(pipe.warehouse, "create index by_hand on marts.orders (amount); "
          "comment on table marts.orders is 'by hand'; "
          "grant select on marts.orders to pg_monitor; select 1")  # fmt: skip

    def looks() -> list[tuple]:
        return query(
            pipe.warehouse,
            "select (select array_agg(indexdef order by 1) from pg_indexes where schemaname "
            "= 'marts'), relacl::text, obj_description(oid), reltuples from pg_class "
            "where oid = 'marts.orders'::regclass",
        )

    before = looks()
    add_second_mart(pipe)
    as_run(pipe, "third", "deploy")
    assert live(pipe) == (3, "third")
    assert looks() == before
    assert len(before[0][0]) == 2


def test_everything_is_built_where_a_copy_would_mix_two_states(pipe: SmallPipe) -> None:
    query(
        pipe.warehouse,
        "create table raw_shop._dlt_loads as select '1.5' as load_id, 0 as status; select 1",
    )
    add_second_mart(pipe)
    as_run(pipe, "second", "deploy")
    assert record(pipe, "second")["notes"] == [
        "everything is built anew: raw has moved on since version 1 was built"
    ]
    assert {"orders", "doubled"} <= {node["name"] for node in record(pipe, "second")["nodes"]}

    load(pipe.warehouse, -1)
    with pytest.raises(DataRejected):
        as_run(pipe, "third", "run")
    load(pipe.warehouse, 1)
    as_run(pipe, "fourth", "deploy")
    assert record(pipe, "fourth")["notes"][0] == (
        "everything is built anew: something else was built after version 2, which is live"
    )
    assert pipe.amounts() == [1]


def test_everything_is_built_where_that_is_asked_for_or_nothing_is_known(pipe: SmallPipe) -> None:
    as_run(pipe, "second", "deploy", full=True)
    assert record(pipe, "second")["notes"] == ["everything is built anew: as asked"]
    (pipe.root / "runs" / "second" / "dbt" / "manifest.json").unlink()
    as_run(pipe, "third", "deploy")
    assert "holds no manifest of version 2" in record(pipe, "third")["notes"][0]
