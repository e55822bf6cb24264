"""What counts as a change, and whom it reaches: pure, on manifests as small as can be."""

import pytest

from ingestion.contract import Column, Contract
from orchestration.lineage.build import Lineage, build
from orchestration.lineage.changes import compare, reach
from orchestration.lineage.endpoints import Source

STG = "with s as (select * from raw_shop.orders) select id, sum as amount, city, name from s"
MART = """
with a as (select * from staging.stg), b as (select city, count(*) as n from a group by city)
select a.id, a.amount * 2 as twice, a.name, b.n from a left join b on a.city = b.city
"""
OTHER = "select id, twice from marts.mart where n > 1"
RAW = ("id", "sum", "city", "name")


def lineage(stg: str = STG, mart: str = MART, other: str = OTHER, pii: bool = False,
            kind: str = "numeric", **contract: object) -> Lineage:  # fmt: skip
    """One source, one staging model, two marts, one exposure."""

    def model(name: str, schema: str, sql: str, reads: str, columns: dict) -> dict:
        return {"unique_id": f"model.p.{name}", "name": name, "resource_type": "model",
                "schema": schema, "alias": name, "fqn": ["p", schema, name], "columns": columns,
                "compiled_code": sql, "depends_on": {"nodes": [reads]}}  # fmt: skip

    personal = {"tags": ["pii"] if pii else []}
    source = {"unique_id": "source.p.shop.orders", "name": "orders", "identifier": "orders",
              "resource_type": "source", "schema": "raw_shop", "columns": {}}  # fmt: skip
    told = {"twice": {"data_type": kind}, "name": personal}
    models = [
        model("stg", "staging", stg, "source.p.shop.orders", {}),
        model("mart", "marts", mart, "model.p.stg", told),
        model("other", "marts", other, "model.p.mart", {}),
    ]
    exposure = {"unique_id": "exposure.p.board", "name": "board", "owner": {"name": "Ada"},
                "depends_on": {"nodes": ["model.p.other"]}}  # fmt: skip
    manifest = {"nodes": {each["unique_id"]: each for each in models},
                "sources": {"source.p.shop.orders": source},
                "exposures": {"exposure.p.board": exposure}}  # fmt: skip
    catalog = {"sources": {"source.p.shop.orders": {"columns": {name: {} for name in RAW}}}}
    columns = (Column("id", "text"), Column("sum", "whole", **contract))  # type: ignore[arg-type]
    shop = Source((Contract("orders", ("id",), columns),))
    return build(manifest, catalog, {"shop": shop})


def said(**after: object) -> list[tuple[str, str]]:
    """What differs from the project as it is."""
    return [(each.label, each.kind) for each in compare(lineage(), lineage(**after))]


def reached(**after: object) -> tuple[dict[str, list[str]], list[str]]:
    before, now = lineage(), lineage(**after)
    found = reach(compare(before, now), before, now)
    return found.columns, found.rows


@pytest.mark.parametrize(
    "mart",
    [
        MART.upper().replace("*", "  *\n"),
        "-- a comment\n" + MART.replace("select", "SELECT /* and here */"),
        MART.replace("with a as", "with first as").replace("from a ", "from first a ").replace(
            "from a group", "from first group"),
        "select x.* from (" + MART + ") as x",
        "select s.id, s.amount * 2 as twice, s.name, b.n from staging.stg s left join "
        "(select city, count(*) as n from staging.stg group by 1) b on s.city = b.city",
    ],
    ids=["case", "comments", "another name of a CTE", "wrapped", "without CTEs"],
)  # fmt: skip
def test_another_way_of_writing_it_is_no_change(mart: str) -> None:
    assert said(mart=mart) == []


def test_a_column_computed_in_another_way_reaches_what_is_made_of_it() -> None:
    mart = MART.replace("* 2", "* 3")
    assert said(mart=mart) == [("marts.mart.twice", "changed")]
    assert reached(mart=mart) == (
        {"model.p.mart": ["twice"], "model.p.other": ["twice"],
         "exposure.p.board": ["other.twice"]},
        [],
    )  # fmt: skip


def test_a_literal_and_the_case_of_a_text_are_changes() -> None:
    assert said(stg=STG.replace("sum as", "coalesce(sum, 0) as")) == [
        ("staging.stg.amount", "changed")]  # fmt: skip
    yes, no = (STG.replace("city,", f"city = '{name}' as city,") for name in ("Lyon", "lyon"))
    assert [each.kind for each in compare(lineage(stg=yes), lineage(stg=no))] == ["changed"]


def test_a_filter_reaches_the_rows_of_all_that_follows() -> None:
    assert said(stg=STG + " where id > 1") == [("staging.stg", "rows")]
    assert reached(stg=STG + " where id > 1") == (
        {}, ["model.p.mart", "model.p.other", "exposure.p.board"])  # fmt: skip


def test_a_column_that_only_filters_reaches_rows_and_no_values() -> None:
    stg = STG.replace("city,", "upper(city) as city,")
    assert reached(stg=stg) == ({}, ["model.p.mart", "model.p.other", "exposure.p.board"])


@pytest.mark.parametrize("mart", [MART.replace("left join", "join"),
                                  MART.replace("a.city = b.city", "a.name = b.city"),
                                  MART.replace("group by city", "group by city, name"),
                                  MART + " limit 5", "select distinct * from (" + MART + ") x",
                                  MART + " union all " + MART])  # fmt: skip
def test_joins_groups_limits_and_unions_are_rows(mart: str) -> None:
    assert ("marts.mart", "rows") in said(mart=mart)


def test_a_column_that_is_gone_renamed_or_new() -> None:
    gone, renamed = MART.replace("a.name, ", ""), MART.replace("a.name,", "a.name as called,")
    assert said(mart=gone) == [("marts.mart.name", "removed")]
    assert said(mart=renamed) == [("marts.mart.name", "renamed")]
    assert said(mart=MART.replace("b.n", "b.n, 1 as one")) == [("marts.mart.one", "added")]
    assert reached(mart=MART.replace("b.n", "b.n, 1 as one")) == ({"model.p.mart": ["one"]}, [])


def test_what_no_longer_fits_together_is_said() -> None:
    (stg, mart) = compare(lineage(), lineage(stg=STG.replace("city, ", "")))
    assert (stg.label, stg.kind) == ("staging.stg.city", "removed")
    assert mart.label == "marts.mart"
    assert "the column city is not known" in mart.said


def test_a_contract_counts_too() -> None:
    assert said(minimum=0) == [("endpoint.orders.$.sum", "rule")]
    assert said(nullable=True) == [("endpoint.orders.$.sum", "rule")]
    columns, rows = reached(minimum=0)
    assert columns["exposure.p.board"] == ["other.twice"]
    assert rows == []


def test_types_and_personal_data_that_the_yaml_declares() -> None:
    assert said(kind="text") == [("marts.mart.twice", "type")]
    assert said(pii=True) == [("marts.mart.name", "personal")]


def test_a_model_that_comes_or_goes() -> None:
    before, after = lineage(), lineage()
    del after.graph.nodes["model.p.other"]
    assert [(each.kind, each.published) for each in compare(before, after)] == [("removed", True)]
    assert [each.kind for each in compare(after, before)] == ["new"]
    assert reach(compare(before, after), before, after).columns["exposure.p.board"] == [
        "other.id", "other.twice"]  # fmt: skip
