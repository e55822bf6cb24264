"""Where events go: a file in the run's folder, always, and a consumer, as long as it answers."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde

EVENTS = "openlineage.ndjson"
PATIENCE = 1.5  # seconds for one event, and once more at the end of a run for what is left
Json = dict[str, Any]


class Delivery:
    """Writes each event to a file at once; sends it in the background, so that no run waits."""

    def __init__(self, url: str | None, key: str | None) -> None:
        """Send to the consumer at `url`, if there is one."""
        self.refused = ""  # why the consumer is not told any more
        self._queue: SimpleQueue[Json | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if url:
            self._thread = threading.Thread(target=self._send, args=(url, key), daemon=True)
            self._thread.start()

    def put(self, event: RunEvent | Json, path: Path) -> None:
        """Append an event to the file at `path`, and have it sent.

        Raises:
            OSError: the file cannot be written.
        """
        said = Serde.to_dict(event)
        with path.open("ab+") as lines:
            lines.seek(max(lines.tell() - 1, 0))
            half = lines.read(1) not in {b"", b"\n"}  # as a kill leaves it
            lines.write(b"\n" * half + json.dumps(said).encode() + b"\n")
        if self._thread:
            self._queue.put(said)

    def close(self) -> str:
        """Wait a moment for what is still to be sent; returns why not all of it was, or ""."""
        if self._thread:
            self._queue.put(None)
            self._thread.join(PATIENCE)
            if self._thread.is_alive():
                self.refused = self.refused or "it takes too long"
        return self.refused

    def _send(self, url: str, key: str | None) -> None:
        try:
            send(iter(self._queue.get, None), url, key)
        except Exception as error:  # whatever a consumer does must not reach the run
            self.refused = why(error)


def send(events: "Iterable[Json | None]", url: str, key: str | None) -> int:
    """Send events to a consumer, one after the other; returns how many.

    Raises:
        Exception: of requests; the first one ends it.
    """
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    config = HttpConfig(url=url.rstrip("/") + "/", timeout=PATIENCE, retry={"total": 0})
    config.auth = ApiKeyTokenProvider({"apiKey": key}) if key else config.auth
    transport, sent = HttpTransport(config), 0
    for event in events:
        transport.emit(event)  # type: ignore[arg-type] # a dict is as good to it
        sent += 1
    return sent


def why(error: Exception) -> str:
    """What went wrong, without the address, which may hold a password."""
    answer = getattr(error, "response", None)
    return f"it answers HTTP {answer.status_code}" if answer is not None else type(error).__name__


def read_events(path: Path) -> list[Json]:
    """The events of a file; without the last one, where a kill left half of it."""
    found: list[Json] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def open_runs(events: list[Json]) -> list[Json]:
    """The START events without an end, the latest first."""
    started: dict[str, Json] = {}
    for event in events:
        run = event["run"]["runId"]
        if event["eventType"] == "START":
            started[run] = event
        else:
            started.pop(run, None)
    return list(reversed(started.values()))
