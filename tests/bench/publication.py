"""Publications in a row beside readers of every kind and pgbench: who waited, who saw what.

    python -m tests.bench.publication [--publications 200] [--rows 20000]

On the embedded server, and on the system's where it is installed. Each publication is a build of
both tables (not timed) and a switch (timed). The reads that were wrong must be none; of the times
read the percentiles, for the machine is noisy. The goals: 99 of 100 reads wait for less than 250
ms, and a switch takes less than a second plus the longest transaction of a reader. Readers who take
the marts in opposite orders without a pause, on all cores, are beyond the goals: publication may
then need several tries.
"""

import argparse
import glob
import sys
import tempfile
from pathlib import Path

from orchestration.embedded import EmbeddedServer
from orchestration.warehouse import Warehouse
from tests.chaos.servers import System
from tests.publication.load import play, table
from tests.publication.readers import KINDS, MIXES


def main() -> int:
    """Play on each server and print what came of it; 1 if anybody read what they must not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--publications", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000, help="in each of the two marts")
    args = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedServer(Path(folder) / "warehouse")
        embedded.start()
        try:
            warehouse = Warehouse(str(embedded.socket_dir), 5432, "postgres", "", "postgres")
            wrong += _play("embedded", warehouse, Path(folder) / "embedded", args)
        finally:
            embedded.stop()
        if not glob.glob("/usr/lib/postgresql/*/bin/postgres"):  # noqa: PTH207
            print("the system has no PostgreSQL; apt-get install postgresql brings one")
            return bool(wrong)
        system = System()
        try:
            wrong += _play("the system's", system.warehouse, Path(folder) / "system", args)
        finally:
            system.stop()
    return bool(wrong)


def _play(name: str, warehouse: Warehouse, folder: Path, args: argparse.Namespace) -> list[str]:
    with warehouse.session() as session:
        version = session.info.server_version // 10_000
    wrong: list[str] = []
    for mix, kinds in MIXES.items():
        # beyond the goals, and slow
        publications = args.publications if kinds is KINDS else args.publications // 4
        print(f"\n{name} PostgreSQL {version}, {mix}: {publications} publications of "
              f"2 x {args.rows:,} rows", flush=True)  # fmt: skip
        load = play(warehouse, folder / mix, publications, args.rows, kinds, _tell)
        for line in (*table(load), *(f"WRONG: {wrong}" for wrong in load.wrong[:20])):
            print(line)
        print(f"{len(load.wrong)} errors, mixed or empty reads", flush=True)
        wrong += load.wrong
    return wrong


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
