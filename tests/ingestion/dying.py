"""A process that loads and is killed in the middle, several times over. Not a test itself.

Reads from stdin what to do, one JSON object with `url` and `deaths`: a list of `credentials`,
`work` (dlt's folder) and `when` (the stage and the count at which kill -9 comes). Prints how each
one ended. It forks, so that dlt is imported once.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ingestion.load import load


def die(url: str, credentials: str, work: str, when: list[Any]) -> None:
    """Load until `when`."""

    def watch(stage: str, name: str, done: int, total: int | None) -> None:
        if [stage, name, done] == when:
            os.kill(os.getpid(), signal.SIGKILL)

    load("jaffle_shop", credentials, Path(work), watch=watch, base_url=url, page_size=2)


def main() -> None:
    """Fork, load, die, again."""
    orders = json.load(sys.stdin)
    ends = []
    for death in orders["deaths"]:
        child = os.fork()
        if not child:
            try:
                die(orders["url"], **death)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        ends.append(os.waitstatus_to_exitcode(status))
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
