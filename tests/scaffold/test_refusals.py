"""What cannot be a source is refused before anything is asked or written."""

from pathlib import Path

import pytest

from ingestion.probe.found import Wish
from orchestration.errors import ConfigurationError, IngestionStopped
from orchestration.scaffold.new import new_source
from orchestration.settings import load_settings


def refused(root: Path, name: str, url: str, auth: str = "") -> str:
    with pytest.raises(ConfigurationError) as caught:
        new_source(load_settings({}, root), name, Wish(url), auth, False, False)
    assert not list(root.rglob("*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Shop", "small letters"), ("my__shop", "small letters"), ("2shops", "small letters"),
        ("class", "means something else"), ("marts", "means something else"),
        ("jaffle_shop", "--force"),
    ],
)  # fmt: skip
def test_names_that_a_source_cannot_have(tmp_path: Path, name: str, said: str) -> None:
    assert said in refused(tmp_path, name, "http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("url", "auth", "said"),
    [
        ("http://127.0.0.1:9/", "bearer", "SOURCES__SHOP__API_TOKEN"),
        ("http://127.0.0.1:9/", "basic", "SOURCES__SHOP__USERNAME"),
        ("http://127.0.0.1:9/", "bearer:abc", "the secret comes from outside"),
        ("http://me:secret@127.0.0.1:9/", "", "--auth basic"),
        ("postgresql://me:secret@host/db", "", "Leave the password out"),
        ("postgresql://me@host/db", "basic", "SOURCES__SHOP__PASSWORD"),
        ("nonsense://host/db", "", "database cannot be used"),
    ],
)
def test_urls_and_logins_that_cannot_be(tmp_path: Path, url: str, auth: str, said: str) -> None:
    told = refused(tmp_path, "shop", url, auth)
    assert said in told
    assert "me:secret" not in told


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "no_such_folder", "no_such_file.csv"])
def test_what_cannot_be_reached_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(IngestionStopped, match=r"127\.0\.0\.1:9|no_such"):
        new_source(load_settings({}, tmp_path), "shop", Wish(url), "", False, False)
