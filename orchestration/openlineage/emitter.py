"""Follows a run and tells of each part of it as it starts and ends: steps, loads, dbt's nodes.

Lineage is a by-product: whatever goes wrong here is a note of the run and never its end.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any, Concatenate, ParamSpec

from openlineage.client.event_v2 import InputDataset, OutputDataset, RunState
from openlineage.client.facet_v2 import dataset_version_dataset, error_message_run
from openlineage.client.serde import Serde

from orchestration.dbt import NodeNews, build_path, docs_path
from orchestration.errors import without_values
from orchestration.lineage.endpoints import REJECTED, Source, add_source
from orchestration.lineage.graph import Graph, Node
from orchestration.openlineage.datasets import as_input, as_output
from orchestration.openlineage.delivery import EVENTS, Delivery, open_runs, read_events
from orchestration.openlineage.events import Engine, Started, assertion, days, event_of, named
from orchestration.openlineage.models import Models
from orchestration.openlineage.names import names_of
from orchestration.records import CANCELLED, DEAD, INTERRUPTED, RunRecord, StepRecord
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse

BUILDS = {"model", "seed", "snapshot"}  # and tests; a unit test reads no table
Load = Any  # ingestion's LoadRecord, of which this room knows the fields only
P = ParamSpec("P")
Act = Callable[Concatenate["Emitter", P], None]


def harmless(act: Act[P]) -> Act[P]:
    """One at a time, for dbt has threads; after the first failure no more."""

    @wraps(act)
    def guarded(self: "Emitter", *args: P.args, **kwargs: P.kwargs) -> None:
        with self.lock:
            if self.broken:
                return
            try:
                act(self, *args, **kwargs)
            except Exception as error:
                self.broken = True
                self.record.notes.append(f"OpenLineage events ended early: {error!r}"[:300])

    return guarded


class Emitter:
    """The events of one run. `record` is the run's own, which says what has come of it."""

    def __init__(
        self, settings: Settings, warehouse: Warehouse, record: RunRecord, folder: Path
    ) -> None:
        """Begin to send, where there is somebody to send to."""
        self.record, self.broken, self.lock = record, False, RLock()
        self._settings, self._folder = settings, folder
        self._names = names_of(settings, warehouse, record.run_id)
        self._open: dict[str, Started] = {}
        self._begun: Counter[str] = Counter()
        self._models: Models | None = None
        self._known: Callable[[], dict[str, Source]] = dict
        self._delivery = Delivery(settings.openlineage_url, settings.openlineage_key)

    @harmless
    def begin(self) -> None:
        """The run has the lock."""
        tags = named(run_id=self.record.run_id, git_commit=self.record.git_commit)
        self._start(self.record.kind, self._engine("ecluse", "RUN"), None, tags)

    @harmless
    def go_on(self, begun: dict[str, int], again: bool) -> None:
        """A stage of a run: begin it, unless an earlier one has and it was not over since."""
        self._begun.update(begun)
        kind = self.record.kind
        if again or not self._begun[kind]:
            self.begin()
            return
        run_id = self._names.run(kind, self._begun[kind] - 1)
        self._open[kind] = Started(kind, run_id, self._engine("ecluse", "RUN"), None, {})

    def begun(self) -> dict[str, int]:
        """How often each job was begun, for the next stage."""
        return dict(self._begun)

    @harmless
    def follow(self) -> None:
        """A step may have started or ended."""
        for step in self.record.steps:
            job = f"{self.record.kind}.{step.step}"
            if step.status == "running" and job not in self._open:
                self._start(job, self._engine("ecluse", "STEP"), self.record.kind)
            elif step.status in {"done", "failed"} and job in self._open:
                error = step.detail if step.status == "failed" else ""
                self._end(job, _state(error), error, outputs=self._published(step))

    @harmless
    def load_started(self, load: Load, since: date | None, until: date | None) -> None:
        """dlt begins to load a source; the days that were asked for, if it was days."""
        step = next((each.step for each in self.record.steps if each.status == "running"), "")
        engine = self._engine("dlt", "LOAD")
        above = f"{self.record.kind}.{step}"
        self._start(f"dlt.{load.source}", engine, above, days(since, until))

    @harmless
    def page(self, load: Load, resource: str) -> None:
        """A page has come; the first one starts the job of its resource."""
        job = f"dlt.{load.source}.{resource}"
        if job not in self._open:
            self._start(job, self._engine("dlt", "RESOURCE"), f"dlt.{load.source}")

    @harmless
    def load_ended(self, load: Load, known: Callable[[], Source]) -> None:
        """All of a source is visible now, or nothing of it; `known` is what it is made of."""
        graph, error = Graph(), load.error or ""
        add_source(graph, load.source, known())

        def naming(node: Node) -> tuple[str, str]:
            if node.kind == "endpoint":
                return self._names.endpoint(load.endpoints.get(node.name, node.relation))
            return self._names.table(node.relation)

        above = self._open[f"dlt.{load.source}"]
        for job in [each.job for each in self._open.values() if each.above == above]:
            endpoint = graph.nodes[f"endpoint.{load.source}.{job.rpartition('.')[2]}"]
            made = [] if error else dict.fromkeys(
                edge.to_node for edge in graph.edges if edge.from_node == endpoint.id
            )  # fmt: skip
            outputs = [
                as_output(graph.nodes[each], graph, naming, rows)
                for each in made
                if (rows := _rows(load, graph.nodes[each])) is not None
            ]
            self._end(job, _state(error), error, inputs=[as_input(endpoint, naming)],
                      outputs=outputs)  # fmt: skip
        log = Node("", "raw", "raw", "_dlt_loads", f"{load.dataset}._dlt_loads")
        outputs = [] if error else [as_output(log, Graph(), naming)]
        self._end(above.job, _state(error), error, outputs=outputs)

    def building(self, known: Callable[[], dict[str, Source]]) -> None:
        """dbt is about to build the marts from what is `known` of the sources."""
        self._models, self._known = None, known

    @harmless
    def node(self, news: NodeNews) -> None:
        """A node of dbt's has started or ended."""
        kind, job = news.unique_id.partition(".")[0], f"dbt.{news.unique_id}"
        if kind not in BUILDS | {"test"}:
            return
        self._models = self._models or Models(
            build_path(self._settings), docs_path(self._settings) / "catalog.json", self._known()
        )
        if news.status == "started":
            self._start(job, self._engine("dbt", kind.upper()), f"{self.record.kind}.build")
        elif job in self._open and news.status != "skipped":
            ended = self._test_ended if kind == "test" else self._model_ended
            ended(job, news, self._models)

    @harmless
    def bury(self, run_id: str) -> None:
        """A run was found dead: what it had begun was aborted."""
        path = self._folder.parent / run_id / EVENTS
        for started in open_runs(read_events(path)):
            error = error_message_run.ErrorMessageRunFacet(DEAD, "PYTHON")
            facets = started["run"]["facets"] | {"errorMessage": Serde.to_dict(error)}
            now = datetime.now(UTC).isoformat()
            run = started["run"] | {"facets": facets}
            self._delivery.put(started | {"eventType": "ABORT", "eventTime": now, "run": run}, path)

    @harmless
    def end(self) -> None:
        """The run is over."""
        record = self.record
        error = (record.reason or "failed") if record.exit_code else ""
        state = RunState.ABORT if record.status == CANCELLED else _state(error)
        if record.kind in self._open:
            self._end(record.kind, state, error)

    def close(self) -> bool:
        """Give the consumer a last moment; whether there is a note about it."""
        refused = self._delivery.close()
        if refused:
            self.record.notes.append(
                f"OpenLineage: the consumer has not got all events ({refused}); send them again "
                f"with `.venv/bin/ecluse openlineage send {self.record.run_id}`"
            )
        return bool(refused)

    def _test_ended(self, job: str, news: NodeNews, models: Models) -> None:
        test, failed = models.said(news.unique_id), news.status in {"fail", "error"}
        reads = models.read_by(news.unique_id)
        tested = test.get("attached_node")  # a test of several tables is a fact about each
        found: dict[str, Any] = {}
        if news.status in {"pass", "warn", "fail"}:
            passed = news.status == "pass"
            found["dataQualityAssertions"] = assertion(test, passed, news.failures)
        inputs = [
            as_input(node, self._table, found if tested in {None, node.id} else {})
            for node in reads
        ]
        self._end(job, _state("x" if failed else ""), news.message if failed else "", inputs=inputs)

    def _model_ended(self, job: str, news: NodeNews, models: Models) -> None:
        error = news.message if news.status == "error" else ""
        sql = models.built(news.unique_id)
        node = models.graph.nodes[news.unique_id]
        inputs = [as_input(each, self._table) for each in models.read_by(news.unique_id)]
        outputs = [] if error else [as_output(node, models.graph, self._table, news.rows)]
        self._end(job, _state(error), error, sql, inputs=inputs, outputs=outputs)

    def _published(self, step: StepRecord) -> list[OutputDataset]:
        """The marts that readers have since this step, with their version."""
        done = self.record.published
        if not done or step.step not in {"publish", "rollback"} or step.status != "done":
            return []
        version = dataset_version_dataset.DatasetVersionDatasetFacet(str(done["version"]))
        marts = [Node(name, "model", "marts", name, f"marts.{name}") for name in done["tables"]]
        outputs = [as_output(mart, Graph(), self._table) for mart in marts]
        for output in outputs:
            output.facets = {"version": version}
        return outputs

    def _table(self, node: Node) -> tuple[str, str]:
        return self._names.table(node.relation)

    def _engine(self, name: str, kind: str) -> Engine:
        package = "dbt-core" if name == "dbt" else name
        return Engine(name, self.record.versions.get(package, "unknown"), kind)

    def _start(self, job: str, engine: Engine, above: str | None, facets: Any = None) -> None:
        if job in self._open:  # begun again after a fault that passes
            self._end(job, RunState.ABORT)
        run_id = self._names.run(job, self._begun[job])
        self._begun[job] += 1
        parent = self._open.get(above or "") or self._open.get(self.record.kind)
        self._open[job] = Started(job, run_id, engine, parent, facets or {})
        self._emit(self._open[job], RunState.START)

    def _end(
        self,
        job: str,
        state: RunState,
        error: str = "",
        sql: str = "",
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
    ) -> None:
        """End a job, and before it what it had begun and nobody has ended."""
        ended = self._open.pop(job)
        for left in [each for each in reversed(self._open.values()) if each.below(ended)]:
            del self._open[left.job]
            self._emit(left, RunState.ABORT)
        event = event_of(ended, self._names.jobs, state, without_values(error), sql)
        event.inputs, event.outputs = list(inputs), list(outputs)
        self._delivery.put(event, self._folder / EVENTS)

    def _emit(self, started: Started, state: RunState) -> None:
        event = event_of(started, self._names.jobs, state)
        self._delivery.put(event, self._folder / EVENTS)


def _state(error: str) -> RunState:
    if error == INTERRUPTED:
        return RunState.ABORT
    return RunState.FAIL if error else RunState.COMPLETE


def _rows(load: Load, node: Node) -> int | None:
    """How many rows a load has brought to a table; None for a quarantine that got none."""
    if node.kind == "quarantine":
        found: int | None = load.rejected.get(node.name.removesuffix(REJECTED)) or None
        return found
    return int(load.loaded.get(node.name, 0))
