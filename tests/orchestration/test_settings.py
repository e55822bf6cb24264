"""The settings: every variable, its default, and what a bad value is told."""

import ast
import re
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.settings import ROOT, VARIABLES, load_settings


def test_without_variables_everything_has_its_default(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.root == tmp_path
    assert settings.state_dir == tmp_path / ".warehouse"
    assert settings.runs_dir == tmp_path / "runs"
    assert settings.warehouse_url is None
    assert settings.base_url is None
    assert settings.run_id is None
    assert (settings.lock_wait, settings.publish_timeout) == (3600.0, 300.0)
    assert (settings.demo_orders, settings.demo_days) == (60_000, None)
    assert (settings.demo_data, settings.demo_faults) == (None, ())
    assert settings.dbt_threads == 4
    assert (settings.openlineage_url, settings.openlineage_key) == (None, None)
    assert settings.openlineage_namespace == "ecluse"


def test_every_variable_is_heard(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "ECLUSE_WAREHOUSE_URL": "postgresql://u:p@h/d",
            "SOURCES__JAFFLE_SHOP__BASE_URL": "http://shop/api",
            "ECLUSE_RUN_ID": "nightly-1",
            "ECLUSE_LOCK_WAIT_SECONDS": "1.5",
            "ECLUSE_PUBLISH_TIMEOUT_SECONDS": "0",
            "ECLUSE_DEMO_ORDERS": "5",
            "ECLUSE_DEMO_DAYS": "6",
            "ECLUSE_DEMO_DATA": str(tmp_path / "x" / ".." / "data"),
            "ECLUSE_DEMO_FAULTS": " 500@orders  slow?delay=5 ",
            "ECLUSE_DBT_THREADS": "1",
            "ECLUSE_OPENLINEAGE_URL": "https://marquez:5000",
            "ECLUSE_OPENLINEAGE_API_KEY": "geheim",
            "ECLUSE_OPENLINEAGE_NAMESPACE": "shop",
        },
        tmp_path,
    )
    assert settings.warehouse_url == "postgresql://u:p@h/d"
    assert settings.base_url == "http://shop/api"
    assert settings.run_id == "nightly-1"
    assert (settings.lock_wait, settings.publish_timeout) == (1.5, 0.0)
    assert (settings.demo_orders, settings.demo_days) == (5, 6)
    assert settings.demo_data == tmp_path / "data"
    assert settings.demo_faults == ("500@orders", "slow?delay=5")
    assert settings.dbt_threads == 1
    assert settings.openlineage_url == "https://marquez:5000"
    assert (settings.openlineage_key, settings.openlineage_namespace) == ("geheim", "shop")
    assert "geheim" not in repr(settings)


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load_settings(dict.fromkeys(VARIABLES, "")) == load_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ECLUSE_LOCK_WAIT_SECONDS", "soon"),
        ("ECLUSE_LOCK_WAIT_SECONDS", "-1"),
        ("ECLUSE_LOCK_WAIT_SECONDS", "nan"),
        ("ECLUSE_PUBLISH_TIMEOUT_SECONDS", "5 min"),
        ("ECLUSE_DEMO_ORDERS", "1e6"),
        ("ECLUSE_DEMO_ORDERS", "0"),
        ("ECLUSE_DEMO_DAYS", "1.5"),
        ("ECLUSE_DEMO_DAYS", "-3"),
        ("ECLUSE_DBT_THREADS", "0"),
        ("ECLUSE_DBT_THREADS", "many"),
    ],
)
def test_a_bad_value_is_told_by_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({name: value})
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{name} is {value!r}: give a ")
    assert str(caught.value).endswith(" or more.")


@pytest.mark.parametrize("url", ["marquez:5000", "file:///x", "http:///geheim"])
def test_an_address_for_events_that_is_none_is_told_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ECLUSE_OPENLINEAGE_URL is no web add") as caught:
        load_settings({"ECLUSE_OPENLINEAGE_URL": url})
    assert url not in str(caught.value)


@pytest.mark.parametrize("prefix", ["pg", "pg_x", "Shop", "1shop", "a-b", 'a"b', "a" * 41])
def test_a_prefix_that_makes_odd_names_of_roles_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="ECLUSE_ROLE_PREFIX is"):
        load_settings({"ECLUSE_ROLE_PREFIX": prefix})
    assert load_settings({"ECLUSE_ROLE_PREFIX": "pgx_2"}).role("pii") == "pgx_2_pii"


def test_the_list_of_variables_names_all_that_are_read_and_no_other() -> None:
    class Spy(dict[str, str]):
        asked: set[str] = set()  # noqa: RUF012 - one spy, one test

        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            self.asked.add(key)
            return default

    spy = Spy()
    load_settings(spy)
    assert spy.asked == set(VARIABLES)
    assert all(VARIABLES.values())


def test_no_other_module_reads_the_environment_for_a_setting() -> None:
    allowed = {"settings.py", "airflow_dag.py", "prefect_flow.py"}  # run where ours is not
    readers = {
        path.name
        for path in (ROOT / "orchestration").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"getenv", "environ"}
        and re.search(r"(environ\.get|environ\[|getenv)\(?[\"']ECLUSE", path.read_text())
    }  # fmt: skip
    assert readers <= allowed


def test_runs_of_one_clone_on_two_warehouses_share_no_working_folder(tmp_path: Path) -> None:
    urls = ("postgresql://a@h/one", "postgresql://a@h/two")
    found = [load_settings({"ECLUSE_WAREHOUSE_URL": url}, tmp_path).dlt_dir for url in urls]
    found.append(load_settings({}, tmp_path).dlt_dir)
    assert len(set(found)) == 3
    assert not any("postgresql" in str(path) for path in found), "a URL may hold a password"
