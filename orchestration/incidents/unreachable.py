"""A warehouse that cannot be reached: the alert goes out without it, once, and a file remembers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.incidents.causes import ERROR, KINDS, WAREHOUSE, Cause
from orchestration.incidents.channels import Message, channels_of, send, url_of
from orchestration.records import RunRecord
from orchestration.settings import Settings

PATIENCE = 5.0  # seconds


def tell(settings: Settings, record: RunRecord, why: str) -> None:
    """Alert the channels of ECLUSE_ALERTS that have not heard yet; what fails is noted."""
    if record.kind not in KINDS:
        return
    kept = _read(settings) or {"since": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "told": []}
    message = Message(
        "[opened error] the warehouse cannot be reached",
        f"{why}\nSince: {kept['since']}, run {record.run_id}.\n"
        "Readers: they have what Postgres gives them; nothing new is loaded or published.\n"
        "Look closer: .venv/bin/ecluse status",
        "failure",
    )
    waiting = [name for name in channels_of((), settings.alerts) if name not in kept["told"]]
    problems = send({name: (url_of(name, settings.alerts), message, PATIENCE) for name in waiting})
    kept["told"] += [name for name in waiting if problems[name] is None]
    record.notes += [f"alerts for {name} wait: {said}" for name, said in problems.items() if said]
    try:
        file = _file(settings)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept))
    except OSError as error:
        record.notes.append(f"who was alerted could not be kept: {error.strerror}")


def cause(settings: Settings) -> Cause | None:
    """For the run that reaches the warehouse again."""
    kept = _read(settings)
    said = f"the warehouse could not be reached from {kept['since']} on" if kept else ""
    return Cause(WAREHOUSE, "run", ERROR, said, past=True) if kept else None


def forget(settings: Settings) -> None:
    """The incident is in the warehouse now."""
    _file(settings).unlink(missing_ok=True)


def _read(settings: Settings) -> dict[str, Any] | None:
    try:
        kept = json.loads(_file(settings).read_text())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and {"since", "told"} <= kept.keys() else None


def _file(settings: Settings) -> Path:
    """One a warehouse: a clone may be used on two."""
    return settings.state_dir / f"unreachable-{settings.place}.json"
