"""What an OpenAPI (3) or Swagger (2) description says: lists, parameters, keys, types."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import yaml

from ingestion.errors import SourceFailed, WrongSetting
from ingestion.probe.asking import Asker
from ingestion.probe.contracts import Said
from ingestion.probe.paging import where_rows_are
from ingestion.probe.shapes import normal

PLACES = ("openapi.json", "swagger.json", "api-docs", "v3/api-docs", "swagger/v1/swagger.json")
DEEP = 6  # of references and nested schemas


@dataclass(frozen=True)
class Listed:
    """A GET of the description that gives a list: its path, the names it may be asked with."""

    path: str
    params: frozenset[str] = frozenset()
    said: Said = field(default_factory=Said)


def read_description(asker: Asker, where: str) -> dict[str, Any]:
    """The description in a file or at a URL, in JSON or YAML.

    Raises:
        WrongSetting: there is none.
    """
    if urlsplit(where).scheme in ("http", "https"):
        found = asker.ask(where).body
    else:
        try:
            found = yaml.safe_load(Path(where).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise WrongSetting(
                f"--openapi {where}: {type(error).__name__}: no JSON or YAML"
            ) from None
    if not is_description(found):
        raise WrongSetting(f"--openapi {where}: no OpenAPI or Swagger description is there.")
    return found


def look_for_description(asker: Asker, url: str) -> dict[str, Any] | None:
    """The description where it usually lies, near the URL; None if nowhere there."""
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}/"
    near = urljoin(url if url.endswith("/") else f"{url}/", "./")
    for base in dict.fromkeys((near, root)):
        for place in PLACES:
            with suppress(SourceFailed):  # some refuse, or hang up on, what they do not have
                found = asker.ask(urljoin(base, place)).body
                if is_description(found):
                    return found
    return None


def is_description(found: Any) -> bool:
    """Whether this JSON describes an API."""
    return isinstance(found, dict) and ("openapi" in found or "swagger" in found) \
        and isinstance(found.get("paths"), dict)  # fmt: skip


def lists_of(description: dict[str, Any]) -> list[Listed]:
    """Every GET without a parameter in its path whose answer is, or holds, a list of objects."""
    found = []
    for path, verbs in description["paths"].items():
        get = verbs.get("get") if isinstance(verbs, dict) else None
        if "{" in path or not isinstance(get, dict):
            continue
        item = _item(description, _schema(description, get))
        if item is None:
            continue
        params = [_resolved(description, each) for each in
                  [*verbs.get("parameters", ()), *get.get("parameters", ())]]  # fmt: skip
        required = [each for each in params if each.get("required") and each.get("in") == "query"]
        if not required:
            names = frozenset(each["name"] for each in params if each.get("in") == "query")
            found.append(Listed(path, names, _said(description, item)))
    return found


def prefix_of(description: dict[str, Any]) -> str:
    """What stands before every path: basePath, or the path of the first server."""
    servers = description.get("servers") or [{}]
    path = description.get("basePath") or urlsplit(str(servers[0].get("url", ""))).path
    return str(path).rstrip("/")


def _schema(description: dict[str, Any], get: dict[str, Any]) -> dict[str, Any]:
    answers = get.get("responses", {})
    answer = _resolved(description, answers.get("200") or answers.get(200) or {})
    if "schema" in answer:
        return _resolved(description, answer["schema"])
    content = answer.get("content", {})
    media: dict[str, Any] = next((content[kind] for kind in content if "json" in kind), {})
    return _resolved(description, media.get("schema", {}))


def _item(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of one row: {} when the answer says nothing, None when it is no list."""
    if not schema:
        return {}
    if schema.get("type") == "array":
        return _resolved(description, schema.get("items", {}))
    properties = _properties(description, schema)
    like: dict[str, Any] = {
        name: [{}] for name, each in properties.items() if each.get("type") == "array"
    }
    path = where_rows_are(like)
    if path is None:
        return {} if not properties else None
    name = path.strip("'")
    return _resolved(description, properties[name].get("items", {}))


def _said(description: dict[str, Any], item: dict[str, Any]) -> Said:
    properties = _properties(description, item)
    types = {}
    for name, each in properties.items():
        options = each.get("anyOf") or each.get("oneOf") or [each]
        kinds = [kind.get("type") for kind in options if isinstance(kind, dict)]
        types[normal(name)] = "number" if "number" in kinds else str(kinds[0] if kinds else "")
    key = [normal(name) for name, each in properties.items()
           if "<pk" in str(each.get("description", ""))]  # fmt: skip
    nullable = {name for name, each in properties.items() if each.get("nullable")}
    required = frozenset(normal(name) for name in set(item.get("required", ())) - nullable)
    return Said(types, required, tuple(key))


def _properties(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in [schema, *(_resolved(description, each) for each in schema.get("allOf", ()))]:
        found |= {name: _resolved(description, each)
                  for name, each in part.get("properties", {}).items()}  # fmt: skip
    return found


def _resolved(description: dict[str, Any], schema: Any) -> dict[str, Any]:
    for _ in range(DEEP):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        found: Any = description
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) else {}
        schema = found
    return schema if isinstance(schema, dict) else {}
