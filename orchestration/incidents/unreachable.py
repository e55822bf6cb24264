"""A warehouse that cannot be reached: the alert goes out without it, once, and a file remembers."""

import json
from datetime import UTC, datetime
from pathlib import Path

from orchestration.incidents.causes import ERROR, WAREHOUSE, Cause
from orchestration.incidents.channels import DEFAULT, Message, channels_of, send, url_of
from orchestration.records import RunRecord
from orchestration.settings import Settings

PATIENCE = 5.0  # seconds


def tell(settings: Settings, record: RunRecord, why: str) -> list[str]:
    """Alert the channels of ECLUSE_ALERTS that have not heard yet; returns what to note."""
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
    file = _file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept))
    return [
        f"the alert for {name} was not taken: {said}" for name, said in problems.items() if said
    ]


def cause(settings: Settings) -> Cause | None:
    """For the run that reaches the warehouse again."""
    kept = _read(settings)
    if not kept:
        return None
    return Cause(WAREHOUSE, "run", ERROR,
                 f"the warehouse could not be reached from {kept['since']} on", past=True)  # fmt: skip


def forget(settings: Settings) -> None:
    """The incident is in the warehouse now."""
    _file(settings).unlink(missing_ok=True)


def _read(settings: Settings) -> dict[str, list[str]] | None:
    try:
        kept = json.loads(_file(settings).read_text())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and {"since", "told"} <= kept.keys() else None


def _file(settings: Settings) -> Path:
    """One a warehouse: a clone may be used on two."""
    return settings.state_dir / f"unreachable-{settings.place}.json"
