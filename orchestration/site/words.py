"""Numbers, times and outcomes as people read them."""

import re
from datetime import datetime

from markupsafe import Markup, escape

from orchestration.errors import without_values

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
GOOD, WARN, BAD, QUIET, BUSY = "good", "warn", "bad", "quiet", "busy"
TONES = {
    "published": GOOD, "passed": GOOD, "pass": GOOD, "success": GOOD, "done": GOOD, "ok": GOOD,
    "recovered": GOOD, "adopted": GOOD, "resolved": GOOD, "no-op": GOOD,
    "rejected": BAD, "broken": BAD, "aborted": BAD, "fail": BAD, "error": BAD, "failed": BAD,
    "runtime error": BAD, "critical": BAD, "anomaly": BAD, "continuing": BAD,
    "warn": WARN, "suspect": WARN, "alert": WARN, "acknowledged": WARN, "open": BAD,
    "running": BUSY, "waiting": BUSY, "partial success": WARN,
}  # fmt: skip
SIGNS = {GOOD: "✓", WARN: "▲", BAD: "✕", QUIET: "·", BUSY: "…"}


def tone(status: str | None) -> str:
    """The tone of an outcome: good, warn, bad, busy, or quiet where it is none."""
    return TONES.get(status or "", QUIET)


def sign(status: str | None) -> str:
    """A sign for an outcome, for whoever cannot tell colours apart."""
    return SIGNS[tone(status)]


def moment(text: str | datetime | None) -> datetime | None:
    """A time of a record."""
    if text is None or isinstance(text, datetime):
        return text
    return datetime.fromisoformat(text)


def day_time(when: datetime | None) -> str:
    """A moment in UTC."""
    return f"{when:%-d %b %Y %H:%M} UTC" if when else "never"


def span(seconds: float | None) -> str:
    """A duration."""
    if seconds is None:
        return ""
    if seconds < 0.995:  # noqa: PLR2004
        return f"{seconds * 1000:.0f} ms"
    if seconds < 2 * MINUTE:
        return f"{seconds:.1f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def count(value: float | None) -> str:
    """A number with its thousands apart."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"  # noqa: PLR2004


def change(now: int | None, before: int | None) -> str:
    """What has come or gone; empty where one of them is not known."""
    if now is None or before is None:
        return ""
    return f"{now - before:+,}" if now != before else "same"


def table_page(name: str) -> str:
    """Where the page of a mart lies: its name, and what a path or a link cannot hold as _."""
    return "tables/" + re.sub(r"[^\w.-]", "_", name) + ".html"


def plural(number: int, word: str) -> str:
    """A counted word: 1 row, 2 rows."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def prose(text: str | None) -> Markup:
    """Text as it was written; what stands between backticks as code, breaks as breaks."""
    parts = str(escape(without_values(text or ""))).split("`")
    if len(parts) % 2 == 0:  # a backtick without its fellow
        parts[-2:] = ["`".join(parts[-2:])]
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    return Markup("".join(parts).replace("\n", "<br>"))  # noqa: S704 - escaped above
