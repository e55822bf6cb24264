"""Placeholder until compaction lands."""


def oldest_replayable(session: object) -> str | None:
    """Nothing was ever compacted."""
    return None
