"""pgbench as a real client that this project did not write: a mixed read is a division by zero."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.embedded import binary
from orchestration.warehouse import Warehouse

TRANSACTION = """
begin isolation level repeatable read;
select min(version) as version,
       1 / (min(version) = max(version) and count(*) = {rows})::int as whole
from marts.orders \\gset seen_
select 1 / (min(version) = :seen_version and max(version) = :seen_version
            and count(*) = {rows})::int as whole
from marts.customers;
commit;
"""
JOIN = """
select 1 / (min(o.version) = max(c.version) and max(o.version) = min(c.version)
            and count(*) = {rows})::int as whole
from marts.orders as o join marts.customers as c using (id);
"""


@dataclass
class Bench:
    """What one pgbench did. Seconds."""

    said: str = ""
    failed: bool = False
    waits: list[float] = field(default_factory=list)  # of each transaction


@contextmanager
def benching(warehouse: Warehouse, rows: int, folder: Path) -> Iterator[list[Bench]]:
    """Two pgbenches, one prepared, at work while the block runs; their ends are known after it."""
    found: list[Bench] = []
    started = []
    for name, mode, text in (("transaction", "prepared", TRANSACTION), ("join", "simple", JOIN)):
        place = folder / name
        place.mkdir(parents=True)
        script = place / "script.sql"
        script.write_text(text.format(rows=rows))
        command = [binary("pgbench"), "--no-vacuum", "-M", mode, "-f", str(script), "-c", "2",
                   "-T", "3600", "--log", "-h", warehouse.host, "-p", str(warehouse.port),
                   "-U", warehouse.user, warehouse.dbname]  # fmt: skip
        child = subprocess.Popen(
            command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append((child, place, Bench()))
    try:
        yield found
    finally:
        for child, place, bench in started:
            bench.failed = child.poll() is not None  # an hour was not over
            child.terminate()
            bench.said = child.communicate()[0]
            for log in place.glob("pgbench_log.*"):
                lines = (line.split() for line in log.read_text().splitlines())
                bench.waits += [int(line[2]) / 1e6 for line in lines if len(line) >= 6]
            found.append(bench)
