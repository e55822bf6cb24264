"""Take out of recorded HTTP what must not be kept: credentials, cookies, personal data.

Equal values get equal masks within a recording, so what is looked up elsewhere is still found. A
mask may not fit the pattern of a contract.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import blake2b
from os import urandom
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

GONE = "***"
# what servers and clients tell of themselves and of the session; the rest may matter to paging
HEADERS = {"set-cookie", "cookie", "date", "server", "via", "content-length", "transfer-encoding",
           "content-encoding", "connection", "keep-alive", "x-request-id"}  # fmt: skip
SECRET = {"apikey", "key", "token", "accesstoken", "refreshtoken", "idtoken", "auth", "authtoken",
          "secret", "clientsecret", "password", "signature", "sig"}  # fmt: skip
SALT = urandom(16)  # nobody can try names and numbers until a mask comes out
SHORTEST = 4  # characters of a secret that is looked for everywhere: "id" would be found in words
Pair = tuple[Any, dict[str, Any]]  # a request of vcrpy and its response


@dataclass(frozen=True)
class Sanitiser:
    """What to take out: values that are secret, and the fields of each resource that are personal.

    `personal` maps a resource, the last part of its path, to names of JSON fields; under None are
    those of every other path.
    """

    secrets: Collection[str]
    personal: dict[str | None, set[str]]

    def request(self, request: Any) -> Any:
        """A request without login, credentials and body; the one that is sent stays as it is."""
        parts = urlsplit(request.uri)
        query = [(name, GONE if is_secret(name) else self.text(value))
                 for name, value in parse_qsl(parts.query, keep_blank_values=True)]  # fmt: skip
        host = parts.netloc.rpartition("@")[2]
        request.uri = self.text(
            parts._replace(netloc=host, query=urlencode(query, safe="*")).geturl()
        )
        request.headers.clear()
        request.body = None
        return request

    def response(self, request: Any, response: dict[str, Any]) -> None:
        """Mask an answer in place."""
        response["headers"] = {
            name: [self.text(value) for value in values]
            for name, values in response["headers"].items()
            if name.lower() not in HEADERS and not is_secret(name)
        }
        body = response["body"].get("string") or b""
        response["body"]["string"] = self.body(urlsplit(request.uri).path, body)

    def body(self, path: str, body: bytes) -> bytes:
        """A JSON body with masks in it; what is no JSON is kept, but for secrets."""
        resource = path.rstrip("/").rpartition("/")[2]
        names = self.personal.get(resource, self.personal.get(None, set()))
        try:
            # numbers are read as texts of their own kind, so that none of them is rounded
            found = json.loads(body, parse_float=_Number, parse_int=_Number)
        except ValueError:
            return self.text(body.decode(errors="replace")).encode()
        return self.text(_dump(_walk(found, names))).encode()

    def text(self, text: str) -> str:
        """The text without any of the secrets."""
        for secret in self.secrets:
            if len(secret) >= SHORTEST:
                text = text.replace(secret, GONE)
        return re.sub(r"([?&](\w+)=)[^&\"\s>\\]+", _without_value, text)


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def is_secret(name: str) -> bool:
    """Whether a parameter or header of this name holds a credential; a page_token does not."""
    return re.sub(r"[^a-z]", "", name.lower().removeprefix("x-")) in SECRET


def mask(value: Any) -> Any:
    """Another value of the same kind; the same for the same."""
    if isinstance(value, _Number):
        digits = str(int(blake2b(value.encode(), digest_size=8, key=SALT).hexdigest(), 16))
        return _Number(digits[: max(1, len(value) - 1)].lstrip("0") or "1")
    if isinstance(value, str):
        return (
            f"masked-{blake2b(value.encode(), digest_size=5, key=SALT).hexdigest()}"
            if value
            else value
        )
    return value


def _walk(found: Any, names: set[str]) -> Any:
    if isinstance(found, dict):
        return {name: _inside(name, value, names) for name, value in found.items()}
    return [_walk(each, names) for each in found] if isinstance(found, list) else found


def _inside(name: str, value: Any, names: set[str]) -> Any:
    if is_secret(name) and isinstance(value, str) and "token" in name.lower():
        return GONE
    if name not in names:
        return _walk(value, names)
    return _each(value, mask)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The change of all that is no object or list in there."""
    if isinstance(value, dict):
        return {name: _each(inner, change) for name, inner in value.items()}
    return [_each(inner, change) for inner in value] if isinstance(value, list) else change(value)


def _dump(found: Any) -> str:
    if isinstance(found, dict):
        inner = (f"{json.dumps(name)}: {_dump(value)}" for name, value in found.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(found, list):
        return "[" + ", ".join(map(_dump, found)) + "]"
    return str(found) if isinstance(found, _Number) else json.dumps(found, ensure_ascii=False)


def _without_value(found: re.Match[str]) -> str:
    return f"{found[1]}{GONE}" if is_secret(found[2]) else found[0]
