"""The door to dbt: what it is told, and how it tells a failed test from a crash."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from orchestration import dbt
from orchestration.environment import tool_environment
from orchestration.errors import BuildBroke
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import Warehouse
from tests.databases import query
from tests.orchestration.small import SmallPipe, load

COMMON = [
    "--target", "prod", "--project-dir", "/p", "--profiles-dir", "/p",
    "--target-path", "/p/target/build/embedded", "--log-path", "/logs", "--log-level", "none",
    "--log-level-file", "info", "--no-use-colors-file", "--write-json",
]  # fmt: skip

pytestmark = pytest.mark.slow  # a dbt command each


@pytest.fixture
def settings() -> Settings:
    return load_settings({"ECLUSE_DBT_THREADS": "2"}, Path("/p"))


@pytest.fixture
def pipe(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> SmallPipe:
    """The small project, with the variables that dbt reads."""
    made = SmallPipe(tmp_path / "p", warehouse)
    for name, value in tool_environment(made.settings, warehouse).items():
        monkeypatch.setenv(name, value)
    return made


def test_a_build_is_told_the_target_the_places_and_the_threads(settings: Settings) -> None:
    assert dbt.build_args(settings, Path("/logs")) == ["build", *COMMON, "--threads", "2"]


def test_freshness_is_asked_for_in_the_place_of_the_build(settings: Settings) -> None:
    assert dbt.freshness_args(settings, Path("/logs")) == ["source", "freshness", *COMMON]


def test_docs_describe_the_published_marts_where_dbt_docs_serve_looks(settings: Settings) -> None:
    args = dbt.docs_args(settings, Path("/logs"))
    expected = [{"/p/target/build/embedded": "/p/target"}.get(arg, arg) for arg in COMMON]
    assert args == [
        "docs",
        "generate",
        *expected,
        "--static",
        "--vars",
        '{"marts_schema": "marts"}',
    ]


def test_a_path_with_spaces_stays_one_argument() -> None:
    args = dbt.build_args(load_settings({}, Path("/a b")), Path("/my logs"))
    assert "/a b" in args
    assert "/my logs" in args


def build(pipe: SmallPipe, on_node: dbt.OnNode | None = None) -> dbt.DbtOutcome:
    return dbt.run_dbt(dbt.build_args(pipe.settings, pipe.root / "logs"), on_node)


def test_a_build_that_passes_is_a_success_and_tells_of_each_node(pipe: SmallPipe) -> None:
    seen: list[tuple[str, str]] = []
    outcome = build(pipe, lambda news: seen.append((news.unique_id, news.status)))
    assert outcome == dbt.DbtOutcome(True, ())
    assert ("model.ecluse.orders", "started") in seen
    assert ("model.ecluse.orders", "success") in seen
    assert ("test.ecluse.no_negative_amount", "pass") in seen
    assert query(pipe.warehouse, "select count(*) from marts__next.orders") == [(2,)]


def test_a_failed_test_is_no_success_and_no_crash(pipe: SmallPipe) -> None:
    load(pipe.warehouse, 5, -7)
    outcome = build(pipe)
    assert not outcome.success
    assert any("no_negative_amount" in line for line in outcome.said)


def test_a_warning_is_a_success(pipe: SmallPipe) -> None:
    load(pipe.warehouse, 5, 700)
    assert build(pipe).success


def test_a_model_whose_sql_is_broken_is_no_success_and_says_why(pipe: SmallPipe) -> None:
    pipe.write("models/marts/orders.sql", "select id, amount from nowhere.at_all")
    outcome = build(pipe)
    assert not outcome.success
    assert any('relation "nowhere.at_all" does not exist' in line for line in outcome.said)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("models/marts/orders.sql", "select * from {{ ref('missing') }}", "missing"),
        ("models/marts/orders.sql", "select {{ 1 + }}", "unexpected 'end of print statement'"),
        ("models/marts/_models.yml", "models: [", "_models.yml"),
    ],
)
def test_a_project_that_does_not_compile_breaks_the_build(
    pipe: SmallPipe, file: str, text: str, said: str
) -> None:
    pipe.write(file, text)
    with pytest.raises(BuildBroke, match="dbt build broke: ") as caught:
        build(pipe)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_an_argument_that_dbt_does_not_know_breaks_the_build_without_a_word_of_usage(
    pipe: SmallPipe, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BuildBroke, match="no-such-option"):
        dbt.run_dbt([*dbt.build_args(pipe.settings, pipe.root / "logs"), "--no-such-option"])
    assert capsys.readouterr() == ("", "")


def test_a_variable_that_is_missing_breaks_the_build(
    pipe: SmallPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECLUSE_PG_HOST")
    with pytest.raises(BuildBroke, match="ECLUSE_PG_HOST"):
        build(pipe)


def test_dbt_says_nothing_by_itself_and_leaves_a_log(
    pipe: SmallPipe, capfd: pytest.CaptureFixture[str]
) -> None:
    build(pipe)
    assert capfd.readouterr() == ("", "")
    assert "no_negative_amount" in (pipe.root / "logs" / "dbt.log").read_text()


def test_a_ctrl_c_stops_the_statement_in_the_server_and_comes_out_as_it_went_in(
    pipe: SmallPipe,
) -> None:
    pipe.sleep_in_the_mart()

    def press(news: dbt.NodeNews) -> None:
        if (news.unique_id, news.status) == ("model.ecluse.orders", "started"):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    def ring(signum: int, frame: object) -> None:
        raise KeyboardInterrupt(signal.SIGTERM)

    before = signal.signal(signal.SIGINT, ring)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            build(pipe, press)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.args == (signal.SIGTERM,)
    assert time.monotonic() - began < 15
    left = "select count(*) from pg_stat_activity where query like '%pg_sleep(30)%' "
    left += "and state = 'active' and datname = current_database() and pid <> pg_backend_pid()"
    assert query(pipe.warehouse, left) == [(0,)]


def test_artifacts_are_kept_before_the_next_command_overwrites_them(tmp_path: Path) -> None:
    target, folder = tmp_path / "target", tmp_path / "runs" / "r1" / "dbt"
    target.mkdir()
    (target / "manifest.json").write_text("first")
    dbt.keep_artifacts(target, folder, ("manifest.json", "never_written.json"))
    (target / "manifest.json").write_text("second")
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert (folder / "manifest.json").read_text() == "first"
