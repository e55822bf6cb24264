"""The graph of the last run that traced columns."""

from pathlib import Path

from orchestration.errors import ConfigurationError
from orchestration.lineage.graph import Graph, read_graph

LINEAGE = "lineage.json"


def newest_graph(runs_dir: Path) -> Graph:
    """Read it.

    Raises:
        ConfigurationError: there is none, or its file is broken.
    """
    found = sorted(runs_dir.glob(f"*/{LINEAGE}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ConfigurationError("No run has traced columns yet: `make run` does.")
    try:
        return read_graph(found[-1])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{found[-1]} is no lineage: {error}. Remove the file, or run again."
        ) from error
