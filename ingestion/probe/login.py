"""What `--auth` says, as dlt's own classes; secrets come from dlt, never from a command line."""

from dataclasses import dataclass
from typing import Any

import dlt
from dlt.sources.rest_api.config_setup import create_auth
from requests.auth import AuthBase

from ingestion.errors import WrongSetting
from ingestion.probe.asking import AUTH_WORDS

# word -> dlt's name of it, and the secrets it needs: our argument -> dlt's
KINDS = {
    "bearer": ("bearer", {"api_token": "token"}),
    "api_key": ("api_key", {"api_key": "api_key"}),
    "basic": ("http_basic", {"username": "username", "password": "password"}),
    "oauth2": ("oauth2_client_credentials",
               {"client_id": "client_id", "client_secret": "client_secret"}),
}  # fmt: skip


@dataclass(frozen=True)
class Login:
    """`config` is dlt's auth config without its secrets; `secrets` lead from ours to dlt's name."""

    config: dict[str, Any]
    secrets: dict[str, str]

    def variables(self, source: str) -> list[str]:
        """The environment variables that hold the secrets."""
        return [f"SOURCES__{source.upper()}__{secret.upper()}" for secret in self.secrets]


def parse_auth(words: str) -> Login:
    """Read `--auth`.

    Raises:
        WrongSetting: it is none of the words.
    """
    kind, _, rest = words.partition(":")
    if kind not in KINDS:
        raise WrongSetting(f"--auth {words}: give {AUTH_WORDS}.")
    name, secrets = KINDS[kind]
    config: dict[str, Any] = {"type": name}
    if kind == "api_key":
        key, _, place = rest.partition(":")
        if place not in ("", "header", "query"):
            raise WrongSetting(f"--auth {words}: a key goes into header or query.")
        config |= {"name": key or "X-API-Key", "location": place or "header"}
    elif kind == "oauth2":
        if not rest.startswith(("http://", "https://")):
            raise WrongSetting(f"--auth {words}: name the URL of the token, oauth2:https://...")
        config["access_token_url"] = rest
    elif rest:  # a secret, perhaps, and it is in the shell's history now
        raise WrongSetting(f"--auth {kind} takes no more words: the secret comes from outside.")
    return Login(config, secrets)


def make_auth(login: Login, source: str) -> AuthBase:
    """The login with its secrets, for requests.

    Raises:
        WrongSetting: a secret is nowhere to be found; says which variable to set.
    """
    values = {}
    for (secret, named), variable in zip(
        login.secrets.items(), login.variables(source), strict=True
    ):
        found: Any = dlt.secrets.get(f"sources.{source}.{secret}")
        if not found:
            raise WrongSetting(f"Set {variable} in the environment: --auth needs it.")
        values[named] = str(found)
    config: Any = {**login.config, **values}
    auth: Any = create_auth(config)
    return auth
