"""`ecluse ci`: a pull request's models beside the live ones, on the same raw rows."""

import json
from pathlib import Path

import pytest

from orchestration.ci.markdown import as_markdown
from orchestration.ci.run import deliver
from orchestration.errors import MovedOn
from orchestration.store import push_run
from tests.ci.small_shop import CUSTOMERS, INNER, JOIN, MODELS, ORDERS, Shop

pytestmark = pytest.mark.slow


def test_a_wrong_join_is_told_by_exactly_the_rows_that_it_loses(shop: Shop) -> None:
    shop.write("models/marts/customers.sql", CUSTOMERS.replace(JOIN, INNER))
    before = shop.ask("select * from marts.customers order by id")

    report, closed = shop.ci()

    found = report.marts["customers"]
    lost = [{"id": str(n)} for n in range(41, 51)]
    assert [*found.removed_rows] == lost
    assert (found.rows_a, found.rows_b, found.added, found.changed) == (50, 40, 0, 0)
    assert report.changed == ["customers"]
    assert report.upstream == ["stg_shop__customers"]
    assert (closed.exit_code, [each.kind for each in report.objections]) == (3, ["rows"])
    assert "10 of 50 rows (20 %) are removed, the limit is 0 %" in str(closed)
    assert shop.ask("select * from marts.customers order by id") == before
    assert {test.status for test in report.tests} <= {"pass", "success"}, "no test catches it"


def test_changed_values_are_told_row_by_row_and_personal_data_is_masked(shop: Shop) -> None:
    wrong = CUSTOMERS.replace("customers.name,", "upper(customers.name) as name,")
    wrong = wrong.replace("sum(amount)", "sum(case when id = 200 then 0 else amount end)")
    shop.write("models/marts/customers.sql", wrong)

    report, _ = shop.ci()

    found, text = report.marts["customers"], as_markdown(report)
    assert (found.changed, found.match_rates) == (50, {"name": 0.0, "amount": 0.98})
    assert next(c for c in found.changes if "amount" in c.columns).key == {"id": "1"}
    assert "`amount` 98 % match" in text
    assert "| `1` | `amount` |" in text
    assert "PERSON" not in text.upper().replace("PERSONAL", "")


def test_a_refactoring_differs_in_nothing_though_raw_has_moved_on(shop: Shop) -> None:
    shop.write("models/marts/orders.sql", "-- the same\n" + ORDERS)

    report, closed = shop.ci()

    assert closed is None
    assert report.changed == ["customers", "orders"]  # and all downstream
    assert {mart: found.identical for mart, found in report.marts.items()} == {
        "orders": True, "customers": True}  # fmt: skip
    assert report.impact == report.breaking == []
    assert any("Raw has moved on to load 2000.0" in note for note in report.notes)
    assert [cost.rows for cost in report.cost] == [200, 50]
    assert all(cost.seconds_before and cost.size for cost in report.cost)


def test_a_column_that_goes_a_type_and_a_null_are_broken_promises_and_readers_are_named(
    shop: Shop,
) -> None:
    renamed = CUSTOMERS.replace("as amount\n    from customers", "as spent\n    from customers")
    shop.write("models/marts/customers.sql", renamed)
    shop.write("models/marts/orders.sql", ORDERS.replace("id,", "cast(id as bigint) as id,", 1))
    columns = MODELS.replace(
        "      - {name: amount, data_type: integer}\nexposures",
        "      - {name: spent, data_type: integer}\nexposures",
    ).replace("amount: 5", "spent: 5")
    columns = columns.replace(
        "{name: id, data_type: integer, constraints: [{type: not_null}], data_tests: [unique]}",
        "{name: id, data_type: bigint, data_tests: [unique]}",
    )
    shop.write("models/marts/_models.yml", columns)

    report, closed = shop.ci()

    assert closed.exit_code == 3
    said = {each.label: each.said for each in report.breaking if each.said != "may be null now"}
    assert said == {"marts.customers.amount": "is called spent now",
                    "marts.orders.id": "was integer, is bigint"}  # fmt: skip
    assert [each.label for each in report.breaking if each.said == "may be null now"] == [
        "marts.orders.id"
    ]
    found = next(each for each in report.breaking if each.label == "marts.customers.amount")
    assert any("board" in reader for reader in found.readers)


def test_a_publication_in_between_calls_the_comparison_off(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = "update ops.versions set run_id = %s where schema_name = 'marts' returning 1"

    def meanwhile(root: Path, files: list[str]) -> list:
        shop.ask(rename, "another run")
        return []

    monkeypatch.setattr("orchestration.ci.job.lint", meanwhile)
    try:
        with pytest.raises(MovedOn, match="run it again"):
            shop.ci(linted=True)
    finally:
        shop.ask(rename, shop.version.record.run_id)


def test_a_failing_test_shows_its_rows_and_what_is_downstream_is_compared_all_the_same(
    shop: Shop,
) -> None:
    shop.write(
        "models/marts/orders.sql", ORDERS.replace("amount from", "amount - 2 as amount from")
    )

    report, closed = shop.ci()

    assert closed.exit_code == 3
    assert "the test no_negative_amount fails (1 row)" in str(closed)
    (rows,) = report.failed_rows
    assert rows.rows == ({"id": "1", "customer_id": "2", "amount": "-1"},)
    assert report.marts["customers"].changed == 40


def test_a_model_that_breaks_is_a_report_and_exit_code_1(shop: Shop) -> None:
    shop.write(
        "models/marts/orders.sql", ORDERS.replace("amount from", "amount / 0 as amount from")
    )
    report, closed = shop.ci()
    assert closed.exit_code == 1
    assert "division by zero" in as_markdown(report)
    assert report.tests == [], "those of the live marts would pass, and say nothing"

    shop.write("models/marts/orders.sql", "select {{ nothing( }}")
    report, closed = shop.ci()
    assert closed.exit_code == 1
    assert "Compilation Error in model orders" in as_markdown(report)


def test_without_the_manifest_everything_is_built_and_a_mart_that_goes_is_told_all_the_same(
    shop: Shop, tmp_path: Path
) -> None:
    (shop.root / "dbt_project/models/marts/customers.sql").unlink()
    shop.write("models/marts/_models.yml", MODELS.partition("  - name: customers")[0])

    report, closed = shop.ci(state=tmp_path)

    assert len(report.changed) == 3
    assert any(note.startswith("Everything was built, not only") for note in report.notes)
    assert report.marts["orders"].identical
    assert [(each.label, each.said) for each in report.breaking] == [("marts.customers", "is gone")]
    assert closed.exit_code == 3


def test_the_manifest_comes_from_the_artifact_store(shop: Shop, tmp_path: Path) -> None:
    run_id = shop.version.record.run_id
    shop.pipe.variables |= {"ECLUSE_ARTIFACTS": str(tmp_path / "store")}
    push_run(shop.pipe.settings, run_id)
    (shop.root / "runs" / run_id).rename(tmp_path / "gone")
    report, closed = shop.ci()
    assert (closed, report.changed, report.version) == (None, [], 1)
    assert (report.marts, report.tests) == ({}, []), "nothing differs, so nothing is built"


def test_the_report_is_a_file_and_the_summary_of_the_job(shop: Shop, tmp_path: Path) -> None:
    summary, file = tmp_path / "summary.md", tmp_path / "report.md"
    summary.write_text("of an earlier step\n")
    shop.pipe.variables |= {"GITHUB_STEP_SUMMARY": str(summary)}
    report, _ = shop.ci(linted=True)
    text = deliver(shop.pipe.settings, report, file)
    assert "- ruff: passed" in text
    assert file.read_text() == text
    assert summary.read_text() == f"of an earlier step\n{text}"
    record = json.loads((shop.root / "runs" / report.run_id / "run.json").read_text())
    assert (record["kind"], record["status"], record["exit_code"]) == ("ci", "passed", 0)
