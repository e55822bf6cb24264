"""`python -m tests.chaos --kills 200 --seed 7`: kill runs, servers and the API until content."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.rounds import Chaos


def main() -> int:
    """Play, and say how it went; 1 when anything was lost, doubled, or needed a human."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="the same seed, the same kills")
    parser.add_argument("--server", default="embedded", help="embedded, system, or a Postgres URL")
    chosen = parser.parse_args()
    seed = secrets.randbelow(10_000) if chosen.seed is None else chosen.seed
    print(f"chaos: {chosen.kills} kills, seed {seed}, server {chosen.server}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ecluse-chaos-") as folder:
        outcome = Chaos(Path(folder), seed, chosen.server, _tell).play(chosen.kills)
    for wrong in outcome.wrong:
        _tell(f"WRONG: {wrong}")
    _tell(outcome.summary())
    return 1 if outcome.wrong else 0


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
