"""Publications in a row beside readers of every kind and pgbench, and what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from orchestration import ops
from orchestration.publication.chamber import prepare, seal
from orchestration.publication.switch import Manner, Switched, switch
from orchestration.publication.versions import NEXT, standing_in
from orchestration.warehouse import Warehouse
from tests.publication.pgbench import Bench, benching
from tests.publication.readers import KINDS, Kind, Seen, reading

BUILD = """
create table marts__next.{table} as
select n as id, {version} as version, md5(n::text) as said from generate_series(1, {rows}) as n;
alter table marts__next.{table} add primary key (id);
analyze marts__next.{table}
"""


@dataclass
class Load:
    """What readers saw and how long they and the publications took. Seconds."""

    seen: list[Seen] = field(default_factory=list)
    benches: list[Bench] = field(default_factory=list)
    switches: list[Switched] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """All that no reader may ever see."""
        found = [f"{seen.kind.name}: {error}" for seen in self.seen for error in seen.errors]
        found += [f"{seen.kind.name}: mixed {read}" for seen in self.seen for read in seen.mixed]
        found += [f"{s.kind.name}: {s.empty} empty reads" for s in self.seen if s.empty]
        return found + [f"pgbench: {bench.said}" for bench in self.benches if bench.failed]

    @property
    def longest(self) -> float:
        """The longest that a reader's transaction took."""
        return max(seen.longest for seen in self.seen)


def publish(warehouse: Warehouse, number: int, rows: int) -> Switched:
    """Build one version of both tables, and switch to it."""
    with warehouse.session("ecluse") as session, session.cursor() as cursor:
        ops.create_tables(session)
        prepare(session, f"run-{number}", None)
        for name in ("customers", "orders"):
            cursor.execute(BUILD.format(table=name, version=number, rows=rows))
        seal(session, {}, "ecluse_pii")
        version = standing_in(cursor, NEXT)
        assert version
        return switch(session, version, f"run-{number}", "publication", Manner(timeout=60))


def play(
    warehouse: Warehouse,
    folder: Path,
    publications: int,
    rows: int,
    kinds: tuple[Kind, ...] = KINDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Load:
    """Publish many times beside all readers."""
    load = Load()
    publish(warehouse, 0, rows)
    with watching(load, warehouse, folder, rows, kinds):
        for number in range(1, publications + 1):
            load.switches.append(publish(warehouse, number, rows))
            if number % 20 == 0:
                tell(f"{number} publications, {len(load.wrong)} wrong reads")
    return load


@contextmanager
def watching(
    load: Load, warehouse: Warehouse, folder: Path, rows: int, kinds: tuple[Kind, ...] = KINDS
) -> Iterator[None]:
    """All readers at work while the block runs; what they saw is in `load` after it."""
    with (
        benching(warehouse, rows, folder) as load.benches,
        reading(warehouse, rows, kinds) as load.seen,
    ):
        time.sleep(0.5)
        yield
        time.sleep(0.5)


def table(load: Load) -> Iterator[str]:
    """The figures, a line for each reader."""
    yield f"{'':34}{'reads':>9}{'median':>10}{'99 %':>10}{'longest':>10}   ms"
    for seen in load.seen:
        yield _line(seen.kind.name, seen.waits)
    for bench, name in zip(load.benches, ("transaction, prepared", "join"), strict=True):
        yield _line(f"pgbench, {name}", bench.waits)
    yield _line("the switch itself", [switched.seconds for switched in load.switches])
    yield f"the longest transaction of a reader: {load.longest * 1000:.0f} ms"


def _line(name: str, seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    figures = (f"{s * 1000:>10.1f}" for s in (cuts[49], cuts[98], max(seconds)))
    return f"{name:34}{len(seconds):>9,}{''.join(figures)}"
