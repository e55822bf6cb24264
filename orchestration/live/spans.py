"""A run as a trace for OpenTelemetry: OTLP over HTTP in its JSON form, made from the record.

The times are known at the end, so one request tells it all and nothing is kept open meanwhile. The
SDK is for programs that do not know their spans yet; this needs none of it.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from orchestration.errors import without_values
from orchestration.live.progress import Progress
from orchestration.settings import Settings
from orchestration.site.facts import Row
from orchestration.site.timeline import dlt_stages
from orchestration.site.words import moment

PATIENCE = 2.0  # seconds that a run waits for whoever collects
LONGEST = 1000  # characters of a message
FAILED = {"failed", "error", "fail", "runtime error", "broken", "rejected", "aborted", "locked",
          "cancelled"}  # fmt: skip
INTERNAL, OK, ERROR = 1, 1, 2  # kinds and states as the protocol numbers them


def trace(run: Row, folder: Path, progress: Progress, service: str) -> Row:
    """The request of a run that has ended: itself, steps, loads, resources and nodes.

    Args:
        run: its record, as in run.json.
        folder: its files, for dlt's trace.
        progress: what it told on its way, for the times of resources.
        service: its name as OpenTelemetry has it.
    """
    resource = {"service.name": service, "host.name": run["host"], "process.pid": run["pid"]}
    spans = [span for span in _spans(run, folder, progress) if span]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": {"name": "ecluse"}, "spans": spans}],
            }
        ]
    }


def send(settings: Settings, request: Row) -> str | None:
    """Send it within two seconds; why that was not possible, else None."""
    said: list[str | None] = [f"no answer within {PATIENCE:.0f} s"]

    def act() -> None:
        said[0] = _post(settings, json.dumps(request).encode())

    # a thread, since neither a slow look-up of a name nor an answer in drops has a time-out
    thread = Thread(target=act, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return said[0]


class _NoRedirect(HTTPRedirectHandler):
    """Headers with a secret go where they were meant to go, and nowhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Do not follow."""


def _post(settings: Settings, body: bytes) -> str | None:
    try:
        headers = {"Content-Type": "application/json", **_headers(settings.otlp_headers)}
        request = Request(str(settings.otlp_endpoint), body, headers, method="POST")  # noqa: S310 - http, as settings has checked
        with build_opener(_NoRedirect).open(request, timeout=PATIENCE) as answer:
            answered = json.loads(answer.read() or b"{}")
    except HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    except (HTTPException, ValueError) as error:  # the message may quote a header
        return f"not OTLP over HTTP ({type(error).__name__})"
    partial = answered.get("partialSuccess", {}) if isinstance(answered, dict) else {}
    refused = partial.get("rejectedSpans")
    return f"{refused} spans were refused" if refused and str(refused) != "0" else None


def _headers(text: str | None) -> dict[str, str]:
    pairs = (part.partition("=") for part in (text or "").split(",") if part.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _spans(run: Row, folder: Path, progress: Progress) -> Iterator[Row]:
    ids = _Ids(run["run_id"])
    yield ids.span(
        f"ecluse {run['kind']}", "", "", run, run["status"] in FAILED, run["reason"],
        {"ecluse.run_id": run["run_id"], "ecluse.status": run["status"],
         "ecluse.exit_code": run["exit_code"], "ecluse.warehouse": run["warehouse"],
         "ecluse.published_version": (run["published"] or {}).get("version"),
         "vcs.ref.head.revision": run["git_commit"]},
    )  # fmt: skip
    for step in run["steps"]:
        failed, name = step["status"] in FAILED, step["step"]
        about = {"ecluse.detail": None if failed else step["detail"],
                 "ecluse.retries": len(step["retries"])}  # fmt: skip
        yield ids.span(name, f"step {name}", "", step, failed, step["detail"], about)
    first = run["steps"][0]["step"] if run["steps"] else ""
    for load in run["loads"]:
        yield from _of_load(ids, load, f"step {first}", folder, progress)
    for node in run["nodes"]:
        about = {"dbt.unique_id": node["unique_id"], "dbt.resource_type": node["resource_type"],
                 "dbt.status": node["status"],
                 "dbt.rows_affected": node["rows_affected"]}  # fmt: skip
        yield ids.span(
            node["name"], node["unique_id"], "step build", node, node["status"] in FAILED,
            node["message"], about,
        )  # fmt: skip


def _of_load(
    ids: "_Ids", load: Row, parent: str, folder: Path, progress: Progress
) -> Iterator[Row]:
    source = load["source"]
    about = {"dlt.source": source, "dlt.load_ids": ", ".join(load["load_ids"]),
             "ecluse.retries": len(load["retries"])}  # fmt: skip
    own = f"load {source}"
    yield ids.span(f"dlt {source}", own, parent, load, bool(load["error"]), load["error"], about)
    for stage in dlt_stages(load, folder):
        when = {"started_at": stage.start, "finished_at": stage.end}
        yield ids.span(stage.name, stage.id, own, when, stage.status in FAILED, None, {})
    for resource in progress.resources.values():
        if resource.name in load["received"]:
            when = {"started_at": resource.began, "finished_at": resource.last}
            name = resource.name
            counted = {"dlt.resource": name, "ecluse.pages": load["pages"].get(name),
                       "ecluse.rows_received": load["received"][name],
                       "ecluse.rows_loaded": load["loaded"].get(name),
                       "ecluse.rows_rejected": load["rejected"].get(name)}  # fmt: skip
            yield ids.span(f"{source}.{name}", f"resource {source}.{name}", own, when,
                           False, None, counted)  # fmt: skip


class _Ids:
    """Numbers that come from the run's id: whoever has that finds the trace, sent once or twice."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self.trace_id = sha256(run_id.encode()).hexdigest()[:32]

    def span(
        self, name: str, key: str, parent: str, when: Row, failed: bool, message: str | None,
        about: Row,
    ) -> Row:  # fmt: skip
        """A span; empty where it has no beginning or no end. The run itself has no key."""
        began, ended = moment(when["started_at"]), moment(when["finished_at"])
        if began is None or ended is None:
            return {}
        said = without_values(message or "")[:LONGEST]
        return {
            "traceId": self.trace_id, "spanId": self._id(key), "name": name, "kind": INTERNAL,
            **({"parentSpanId": self._id(parent)} if key else {}),
            "startTimeUnixNano": _nanoseconds(began), "endTimeUnixNano": _nanoseconds(ended),
            "attributes": _attributes(about),
            "status": {"code": ERROR, "message": said} if failed else {"code": OK},
        }  # fmt: skip

    def _id(self, key: str) -> str:
        return sha256(f"{self._run_id} {key}".encode()).hexdigest()[:16]


def _nanoseconds(when: datetime) -> str:
    return str(round(when.timestamp() * 1_000_000) * 1000)  # in JSON 64 bits are text


def _attributes(about: Row) -> list[Row]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int)
         else {"stringValue": str(value)}}
        for key, value in about.items() if value is not None
    ]  # fmt: skip


def endpoint_host(settings: Settings) -> str:
    """Where spans go, for a note: no path and no login, which may be secrets."""
    return urlsplit(str(settings.otlp_endpoint)).hostname or "the endpoint"
