"""What took how long in a run, and which chain of it nothing could have been done before."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from orchestration.site.facts import Row, read_json
from orchestration.site.words import moment, tone

SHOWN = 60  # bars on a page; of the other nodes only their sum is told
KEEPS = ("bad", "warn", "busy")  # tones that are always shown
STAGES = {"extract": "dlt extract", "normalize": "dlt normalize", "load": "dlt load"}


@dataclass(frozen=True)
class Bar:
    """Something that ran. `usual` is the median of its seconds in earlier runs."""

    id: str
    name: str
    kind: str  # step, stage, or dbt's resource type
    status: str
    start: datetime | None
    end: datetime | None
    seconds: float
    usual: float | None = None
    critical: bool = False
    note: str = ""
    left: float = 0.0  # in thousandths of the run
    width: float = 0.0

    @property
    def tone(self) -> str:
        """The tone of its outcome."""
        return tone(self.status)

    @property
    def slower(self) -> bool:
        """Whether it took clearly longer than it used to."""
        return self.usual is not None and self.seconds > max(1.5 * self.usual, self.usual + 0.5)


@dataclass(frozen=True)
class Timeline:
    """The bars in order of time, and what was left out: how many nodes, how long together."""

    bars: tuple[Bar, ...]
    hidden: int
    hidden_seconds: float
    seconds: float


def timeline(
    run: Row,
    folder: Path,
    parents: Mapping[str, Sequence[str]],
    earlier: Sequence[Row],
    loading: Sequence[Bar] = (),
) -> Timeline:
    """The bars of a run.

    Args:
        run: its record.
        folder: its files, for dlt's trace.
        parents: what each dbt node reads, by unique id.
        earlier: records of runs before it, for what is usual.
        loading: bars that stand under the ingestion, before dlt's own.
    """
    usual = _usual(earlier)
    ran = (node for node in run.get("nodes", []) if node["resource_type"] != "exposure")
    nodes = [_node(node, usual) for node in ran]
    stages = [stage for load in run.get("loads", []) for stage in dlt_stages(load, folder)]
    critical = critical_path(nodes, parents)
    nodes = [replace(node, critical=node.id in critical) for node in nodes]
    shown = sorted(nodes, key=lambda node: (not _must(node), -node.seconds))[:SHOWN]
    kept = {node.id for node in shown}
    nodes.sort(key=lambda node: (node.start is None, node.start or datetime.min, node.name))
    bars: list[Bar] = []
    for step in run.get("steps", []):
        bars.append(_step(step, usual))
        if step["step"] == "ingest":
            bars += [*loading, *stages]
        if step["step"] == "build":
            bars += _around(bars[-1], [node for node in nodes if node.id in kept])
    began, ended = moment(run["started_at"]), moment(run["finished_at"])
    last = ended or max((bar.end for bar in bars if bar.end), default=began)
    length = (last - began).total_seconds() if began and last else 0.0
    left_out = [node for node in nodes if node.id not in kept]
    placed = tuple(_placed(bar, began, length) for bar in bars)
    return Timeline(placed, len(left_out), sum(node.seconds for node in left_out), length)


def critical_path(nodes: Iterable[Bar], parents: Mapping[str, Sequence[str]]) -> set[str]:
    """The nodes of the chain that ended last: each the latest of what its follower waited for.

    A model waits for its parents and, as `dbt build` has it, for the tests of its parents.
    """
    ran = {node.id: node for node in nodes if node.end}
    tests: dict[str, list[str]] = defaultdict(list)
    for node in ran.values():
        if node.kind in {"test", "unit_test"}:
            for parent in parents.get(node.id, ()):
                tests[parent].append(node.id)
    found: set[str] = set()
    at = max(ran.values(), key=_end, default=None)
    while at:
        found.add(at.id)
        waited = [*parents.get(at.id, ())]
        if at.kind not in {"test", "unit_test"}:
            waited += [test for parent in waited for test in tests[parent]]
        before = [ran[node] for node in waited if node in ran and node not in found]
        at = max((n for n in before if not at.start or _end(n) <= _end(at)), key=_end, default=None)
    return found


def _end(bar: Bar) -> datetime:
    return bar.end or datetime.max.replace(tzinfo=UTC)


def _must(node: Bar) -> bool:
    return node.critical or node.tone in KEEPS


def _step(step: Row, usual: Mapping[str, float]) -> Bar:
    began, ended = moment(step.get("started_at")), moment(step.get("finished_at"))
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    return Bar(
        f"step.{step['step']}", step["step"], "step", step["status"], began, ended, seconds,
        usual.get(f"step.{step['step']}"), note=step.get("detail") or "",
    )  # fmt: skip


def _around(step: Bar, nodes: list[Bar]) -> list[Bar]:
    """The nodes between what dbt does before the first of them and what follows the last."""
    began = [node.start for node in nodes if node.start]
    ended = [node.end for node in nodes if node.end]
    if not (began and ended and step.start and step.end):
        return nodes
    before = (step.start, min(began), "dbt starts, parses, looks at the sources")
    after = (max(ended), step.end, "drift is measured, the marts are sealed")
    first, last = (
        Bar(name, name, "stage", "done", start, end, (end - start).total_seconds(), critical=True)
        for start, end, name in (before, after)
    )
    return [first, *nodes, last]


def dlt_stages(load: Row, folder: Path) -> list[Bar]:
    """dlt's own account of a load; its stages follow each other, so all are critical."""
    trace = read_json(folder / "dlt" / f"{load['source']}.trace.json")
    found = []
    for step in trace.get("steps", []):
        began, ended = moment(step.get("started_at")), moment(step.get("finished_at"))
        if began and ended and step.get("step") in STAGES:
            name = f"{load['source']}: {STAGES[step['step']]}"
            status = "failed" if step.get("step_exception") else "done"
            seconds = (ended - began).total_seconds()
            found.append(
                Bar(f"stage.{name}", name, "stage", status, began, ended, seconds, critical=True)
            )
    return found


def _node(node: Row, usual: Mapping[str, float]) -> Bar:
    return Bar(
        node["unique_id"], node["name"], node["resource_type"], node["status"],
        moment(node["started_at"]), moment(node["finished_at"]), node["seconds"],
        usual.get(node["unique_id"]),
    )  # fmt: skip


def _usual(earlier: Sequence[Row]) -> dict[str, float]:
    """The median seconds of steps and nodes over earlier runs."""
    took: dict[str, list[float]] = defaultdict(list)
    for run in earlier:
        for step in run.get("steps", []):
            bar = _step(step, {})
            if bar.status == "done":
                took[bar.id].append(bar.seconds)
        for node in run.get("nodes", []):
            if node["status"] in {"success", "pass"}:
                took[node["unique_id"]].append(node["seconds"])
    return {name: median(seconds) for name, seconds in took.items()}


def _placed(bar: Bar, began: datetime | None, length: float) -> Bar:
    if not (bar.start and began and length):
        return bar
    start = (bar.start - began).total_seconds()
    width = (bar.end - bar.start).total_seconds() if bar.end else max(length - start, 0)
    left = max(0.0, start / length * 1000)
    return replace(bar, left=round(left, 1), width=round(max(width / length * 1000, 2), 1))
