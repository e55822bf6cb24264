"""Names that join: the same for dlt, dbt and the next run, without a secret in any."""

import uuid

import pytest

from orchestration.openlineage.names import DEMO, names_of
from orchestration.settings import load_settings
from orchestration.warehouse import Warehouse

POSTGRES = Warehouse("db.example.com", 5433, "someone", "geheim", "shop")
SETTINGS = load_settings({"SOURCES__JAFFLE_SHOP__BASE_URL": "https://api.example.com/v1"})


def test_a_table_is_named_as_the_specification_has_it_without_user_and_password() -> None:
    names = names_of(SETTINGS, POSTGRES, "r1")
    table = names.table("marts.orders")
    assert table == ("postgres://db.example.com:5433", "shop.marts.orders")


@pytest.mark.parametrize(
    ("host", "namespace"),
    [("/a folder/socket", "postgres://localhost:5432"), ("::1", "postgres://[::1]:5432")],
)
def test_a_socket_and_an_address_of_ipv6_are_hosts_too(host: str, namespace: str) -> None:
    warehouse = Warehouse(host, 5432, "postgres", "", "postgres")
    assert names_of(SETTINGS, warehouse, "r1").database == namespace


@pytest.mark.parametrize(
    ("url", "dataset"),
    [
        ("https://u:geheim@h.example.com/v1/orders", ("https://h.example.com", "/v1/orders")),
        ("http://[::1]:8000/orders", ("http://[::1]:8000", "/orders")),
    ],
)
def test_an_endpoint_is_its_host_and_its_path(url: str, dataset: tuple[str, str]) -> None:
    assert names_of(SETTINGS, POSTGRES, "r1").endpoint(url) == dataset


def test_the_demo_has_one_name_whatever_its_port() -> None:
    names = names_of(load_settings({}), POSTGRES, "r1")
    assert names.endpoint("http://127.0.0.1:4711/api/v1/orders") == (DEMO, "/api/v1/orders")


def test_the_id_of_a_run_is_the_same_again_and_another_for_all_else() -> None:
    def ids(run_id: str, **variables: str) -> list[str]:
        names = names_of(load_settings(variables), POSTGRES, run_id)
        return [names.run("run"), names.run("run.build"), names.run("run.build", 1)]

    every = [*ids("r1"), *ids("r2"), *ids("r1", ECLUSE_OPENLINEAGE_NAMESPACE="other")]
    assert len(set(every)) == len(every) == 9
    assert ids("r1") == ids("r1")
    assert {uuid.UUID(each).version for each in every} == {5}
