"""One URL in: every spelling that people use, and a sentence for those that are none."""

from dataclasses import replace

import pytest

from orchestration.errors import ConfigurationError
from orchestration.settings import load_settings
from orchestration.warehouse import Warehouse, locate, parse_url, shell_exports

NASTY = "p@ss:w/o?r#d %&='\"+$`\\é"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5433/d", Warehouse("h", 5433, "u", "p", "d")),
        ("postgres://u:p@h/d", Warehouse("h", 5432, "u", "p", "d")),
        ("postgresql+psycopg2://u:p@h/d", Warehouse("h", 5432, "u", "p", "d")),
        ("postgresql+psycopg://u:p@h/d", Warehouse("h", 5432, "u", "p", "d")),
        ("  postgresql://u:p@h:/d\n", Warehouse("h", 5432, "u", "p", "d")),
        ("postgresql://u@h/d", Warehouse("h", 5432, "u", "", "d")),
        ("postgresql://h/d", Warehouse("h", 5432, "postgres", "", "d")),
        ("postgresql://u:a%40b%3Ac%2F@h/d", Warehouse("h", 5432, "u", "a@b:c/", "d")),
        ("postgresql://u%40corp:p@h/d%20e", Warehouse("h", 5432, "u@corp", "p", "d e")),
        ("postgresql://u:a+psycopg2@h/d", Warehouse("h", 5432, "u", "a+psycopg2", "d")),
        ("postgresql://u:p@[::1]:5433/d", Warehouse("::1", 5433, "u", "p", "d")),
        ("postgresql:///d?host=/srv/a b&user=u", Warehouse("/srv/a b", 5432, "u", "", "d")),
        ("postgresql://u:x@localhost/d?host=/run/pg", Warehouse("/run/pg", 5432, "u", "x", "d")),
        ("postgresql://u@%2Frun%2Fpg:5433/d", Warehouse("/run/pg", 5433, "u", "", "d")),
        ("postgresql://u:p@h/d?sslmode=require", Warehouse("h", 5432, "u", "p", "d", "require")),
        ("host=h dbname=d user=u password='x y'", Warehouse("h", 5432, "u", "x y", "d")),
    ],
)
def test_every_spelling_of_a_url_is_understood(url: str, expected: Warehouse) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:geheim@h/d",
        "postgresql+asyncpg://u:geheim@h/d",
        "postgresql://u:geheim@h",
        "postgresql://u:geheim@/d",
        "postgresql://u:geheim@h:abc/d",
        "postgresql://u:geheim@h:99999/d",
        "postgresql://u:geheim@h1,h2:1,2/d",
        "postgresql://u:geheim%2@h/d",
        "postgresql://u:very@geheim@h/d",
        "postgresql://u:geheim@h/d?no_such_option=1",
        "host=h dbname=d password=geheim nosuch=1",
        "geheim",
        "/var/lib/geheim",
    ],
)
def test_what_is_no_url_gets_a_sentence_that_shows_the_form_and_no_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert "ECLUSE_WAREHOUSE_URL" in str(caught.value)
    assert "postgresql://user:password@host:5432/database" in str(caught.value)
    assert "%40" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "warehouse",
    [
        Warehouse("h", 5432, "u", "p", "d"),
        Warehouse("db.example.org", 6543, "u@corp", NASTY, "d/e f", "verify-full"),
        Warehouse("::1", 5432, "u", NASTY, "d"),
        Warehouse("/srv/a folder,with'%", 5432, "u", NASTY, "d", "disable"),
    ],
)
def test_a_url_that_we_write_is_one_that_we_read(warehouse: Warehouse) -> None:
    assert parse_url(warehouse.url()) == warehouse
    assert parse_url(warehouse.sqlalchemy_url()) == warehouse


def test_a_url_always_holds_a_password_because_dlt_wants_one() -> None:
    assert Warehouse("h", 5432, "u", "", "d").url() == "postgresql://u:none-needed@h:5432/d"


def test_in_words_a_warehouse_never_shows_its_password() -> None:
    own = Warehouse("/a/folder", 5432, "u", "", "d")
    assert str(Warehouse("h", 5432, "u", "geheim", "d")) == "d on h:5432 as u"
    assert str(Warehouse("/run/pg", 5433, "u", "geheim", "d")) == "d on /run/pg:5433 as u"
    assert str(replace(own, embedded=True)) == "d on embedded as u"


def test_no_password_means_no_secret_for_dbt_to_scrub() -> None:
    name = "DBT_ENV_SECRET_ECLUSE_PG_PASSWORD"
    assert name not in Warehouse("h", 5432, "u", "", "d").environment()
    assert Warehouse("h", 5432, "u", "p", "d").environment()[name] == "p"


def test_a_url_in_the_settings_wins_over_the_embedded_server() -> None:
    settings = load_settings({"ECLUSE_WAREHOUSE_URL": "postgresql://u:p@h/d"})
    assert locate(settings) == Warehouse("h", 5432, "u", "p", "d")
    assert locate(load_settings({})).host.startswith("/")


def test_exports_are_quoted_for_a_shell() -> None:
    assert shell_exports({"A": "it's $HOME", "B": ""}) == "export A='it'\"'\"'s $HOME'\nexport B=''"
