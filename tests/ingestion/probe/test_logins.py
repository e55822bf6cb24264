"""Every word of `--auth`, tried on a server that insists on it."""

from typing import Any

import pytest

from ingestion.errors import SourceFailed
from ingestion.probe.api import look_at_api
from ingestion.probe.found import Wish
from ingestion.probe.login import make_auth, parse_auth
from tests.ingestion.declared.habits import Habits, basic, bearer

ROWS: list[dict[str, Any]] = [{"id": n, "name": f"thing {n}"} for n in range(1, 8)]


@pytest.mark.parametrize(
    ("words", "secrets", "login"),
    [
        ("bearer", {"API_TOKEN": "s3cret"}, bearer("s3cret")),
        ("basic", {"USERNAME": "us", "PASSWORD": "s3cret"}, basic("us", "s3cret")),
        (
            "api_key:X-Token",
            {"API_KEY": "s3cret"},
            lambda headers, _: headers["X-Token"] == "s3cret",
        ),
        ("api_key:k:query", {"API_KEY": "s3cret"}, lambda _, query: query.get("k") == "s3cret"),
        ("oauth2:URL/token", {"CLIENT_ID": "us", "CLIENT_SECRET": "s3cret"}, bearer("token1")),
    ],
)
def test_who_says_who_asks_is_let_in(
    words: str, secrets: dict[str, str], login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secrets.items():
        monkeypatch.setenv(f"SOURCES__THINGS__{name}", value)
    with Habits(ROWS) as api:
        api.login = login
        wish = Wish(f"{api.url}/link_header", ())
        with pytest.raises(SourceFailed, match="401"):
            look_at_api(wish, None, lambda said: None)
        auth = make_auth(parse_auth(words.replace("URL", api.url)), "things")
        found = look_at_api(wish, auth, lambda said: None)
    (things,) = found.resources
    assert things.sampled == len(ROWS)
    assert things.contract.key == ("id",)
    assert "s3cret" not in str(found)
