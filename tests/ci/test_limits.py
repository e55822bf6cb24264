"""What closes the gate: limits, what is allowed for once, the exit code."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.ci.findings import (
    Breaking,
    Cost,
    Lint,
    Report,
    exit_code,
    judge,
    percent,
    read_limits,
)
from orchestration.ci.markdown import MOST, as_markdown
from orchestration.ci.selection import changed_files, runnable, upstream
from orchestration.errors import ConfigurationError
from orchestration.history.diff import Difference

LOST = Difference(
    (), (), {}, ("id",), 50, 40, 0, 10, 0, 40, {"name": 1.0}, (), ({"id": "41"}, {"id": "a|b`@x"})
)


def report(**found: object) -> Report:
    return Report("a run", marts={"customers": LOST}, **found)  # type: ignore[arg-type]


def judged(folder: Path, toml: str, *allow: str, **found: object) -> Report:
    (folder / "pyproject.toml").write_text(toml)
    made = report(**found)
    judge(made, folder, allow)
    return made


def test_no_row_of_readers_may_vanish_unless_it_is_said(tmp_path: Path) -> None:
    closed = judged(tmp_path, "")
    assert [each.said for each in closed.objections] == [
        "customers: 10 of 50 rows (20 %) are removed, the limit is 0 %"
    ]
    assert exit_code(closed) == 3
    assert judged(tmp_path, "[tool.ecluse.ci]\nremoved = 0.2").objections == []
    assert judged(tmp_path, "[tool.ecluse.ci]\nremoved = 0.19").objections != []
    assert judged(tmp_path, "[tool.ecluse.ci.marts.customers]\nremoved = 1").objections == []
    assert judged(tmp_path, "[tool.ecluse.ci.marts.orders]\nremoved = 1").objections != []


def test_what_is_allowed_for_once_is_still_told(tmp_path: Path) -> None:
    broken = [Breaking("marts.customers.name", "is gone")]
    found = judged(tmp_path, "", "rows", breaking=broken)
    assert [each.kind for each in found.objections] == ["breaking"]
    assert "allowed (rows)" in as_markdown(found)
    assert judged(tmp_path, "", "rows", "breaking", breaking=broken).objections == []


def test_slower_is_judged_when_there_is_a_limit_and_it_matters(tmp_path: Path) -> None:
    limit = "[tool.ecluse.ci]\nremoved = 1\nslower = 2"
    slow, short = Cost("orders", 9.0, 4.0), Cost("orders", 0.9, 0.1)
    assert judged(tmp_path, limit, cost=[slow]).objections[0].kind == "slower"
    assert judged(tmp_path, limit, cost=[short, Cost("new", 99.0)]).objections == []
    assert judged(tmp_path, limit.replace("2", "0"), cost=[slow]).objections == []


def test_what_does_not_work_comes_before_what_is_wrong(tmp_path: Path) -> None:
    assert exit_code(judged(tmp_path, "", lint=[Lint("ruff", "failed")])) == 1
    assert exit_code(judged(tmp_path, "", lint=[Lint("ruff", "missing")])) == 3
    assert "is not installed here" in as_markdown(report(lint=[Lint("ruff", "missing")]))


@pytest.mark.parametrize("line", ["remvoed = 0.2", "removed = -1", "removed = true", "added = 'x'"])
def test_a_wrong_limit_is_a_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.ecluse.ci]\n{line}\n")
    with pytest.raises(ConfigurationError, match="give numbers, 0 or more, for added, changed"):
        read_limits(tmp_path)


def test_values_cannot_break_out_of_the_table_or_call_anybody() -> None:
    text = as_markdown(report())
    assert "| `a\\|b'@x` |" in text
    assert "2 of 10 removed" in text


def test_a_report_fits_into_a_comment_and_says_when_it_was_cut() -> None:
    long = replace(LOST, removed_rows=tuple({"id": "x" * 100} for _ in range(2_000)))
    text = as_markdown(Report("a run", marts={"customers": long}))
    assert len(text) < MOST + 200
    assert text.rstrip().endswith("`ecluse ci --json` has all of it.*")


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    assert [percent(share) for share in (0, 1, 0.5, 1e-9, 1 - 1e-9)] == [
        "0 %", "100 %", "50 %", "0.01 %", "99.99 %"]  # fmt: skip


def test_files_that_differ_are_linted_macros_too_and_all_of_them_without_a_state() -> None:
    def part(**codes: str) -> dict:
        return {name: {"original_file_path": f"{name}.sql", "package_name": "p", "checksum": code,
                       "macro_sql": code} for name, code in codes.items()}  # fmt: skip

    now = {"metadata": {"project_name": "p"}, "nodes": part(a="1", b="2"), "macros": part(m="3")}
    now["macros"] |= {"of_dbt": {**now["macros"]["m"], "package_name": "dbt"}}
    assert changed_files(now, None) == ["a.sql", "b.sql", "m.sql"]
    assert changed_files(now, now) == []
    assert changed_files(now, {**now, "macros": part(m="4")}) == ["m.sql"]
    assert changed_files(now, {**now, "nodes": part(a="1")}) == ["b.sql"]


def test_a_test_of_what_is_missing_is_left_out_but_not_for_an_ephemeral_model() -> None:
    nodes = {
        f"model.p.{name}": {"config": {"materialized": name}} for name in ("view", "ephemeral")
    }
    reads = {"test.p.1": {"depends_on": {"nodes": ["model.p.view", "model.p.ephemeral"]}},
             "test.p.2": {"depends_on": {"nodes": ["model.p.ephemeral"]}}}  # fmt: skip
    manifest = {"nodes": nodes | reads}
    assert runnable(manifest, list(reads), set(nodes)) == ["test.p.2"]
    assert runnable(manifest, list(reads), set()) == list(reads)


def test_views_are_built_again_up_to_the_marts_that_stand() -> None:
    def node(kind: str, schema: str, *reads: str) -> dict:
        return {"resource_type": kind, "schema": schema, "alias": "it",
                "depends_on": {"nodes": list(reads)}}  # fmt: skip

    manifest = {"nodes": {
        "model.p.stg": node("model", "staging", "source.p.s"),
        "model.p.int": node("model", "intermediate", "model.p.stg"),
        "model.p.it": node("model", "marts", "model.p.int"),
        "model.p.top": node("model", "marts", "model.p.it", "model.p.stg"),
        "test.p.t": node("test", "quarantine", "model.p.top", "model.p.int"),
    }}  # fmt: skip
    assert upstream(manifest, {"model.p.top"}, {"it"}) == {"model.p.stg"}
    assert upstream(manifest, {"model.p.top"}, {}) == {"model.p.it", "model.p.int", "model.p.stg"}
    assert upstream(manifest, {"model.p.top", "test.p.t"}, {"it"}) == {"model.p.int", "model.p.stg"}
