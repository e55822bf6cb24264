"""What is known of a run between its stages, in the one place that all its machines share: ops."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestration.artifacts import Freshness, NodeResult, TestResult
from orchestration.records import PUBLISHED, RUNNING, RunRecord, to_json

if TYPE_CHECKING:
    from psycopg2.extensions import connection

STAGES = ("ingest", "build", "publish", "collect")


@dataclass
class Verdict:
    """How a part of a run failed that has not been done again since."""

    status: str
    exit_code: int
    reason: str


@dataclass
class State:
    """A staged run.

    `failed` holds the parts that stand failed: `ingest <source>`, or a stage. `begun` counts the
    jobs of its OpenLineage events, `host` is where its newest files are.
    """

    record: RunRecord
    failed: dict[str, Verdict] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    host: str = ""
    closed: bool = False

    def judge(self) -> None:
        """Let the record say what stands failed, the first part of it, or that nothing does."""
        order = sorted(self.failed, key=lambda part: STAGES.index(part.partition(" ")[0]))
        first = self.failed[order[0]] if order else Verdict(RUNNING, 0, "")
        self.record.status = PUBLISHED if self.record.published else first.status
        self.record.exit_code = first.exit_code or None
        self.record.reason = first.reason or None


def read_state(session: "connection", run_id: str) -> State | None:
    """The staged run of this id, if there is one."""
    with session.cursor() as cursor:
        cursor.execute("select state, closed from ops.stages where run_id = %s", (run_id,))
        found = cursor.fetchone()
    return _revived(*found) if found else None


def keep_state(session: "connection", state: State) -> None:
    """Write down what the next stage has to know, and that somebody was here just now."""
    record = json.loads(to_json(state.record))
    failed = {part: vars(verdict) for part, verdict in state.failed.items()}
    text = json.dumps(
        {"record": record, "failed": failed, "begun": state.begun, "host": state.host}
    )
    with session.cursor() as cursor:
        cursor.execute(
            "insert into ops.stages (run_id, state, closed, touched_at) values (%s, %s, %s, now()) "
            "on conflict (run_id) do update set state = excluded.state, closed = excluded.closed, "
            "touched_at = excluded.touched_at",
            (state.record.run_id, text, state.closed),
        )


def _revived(state: dict[str, Any], closed: bool) -> State:
    """The dataclasses again, times as times, of what JSON has made of them."""
    import msgspec

    from ingestion.load import LoadRecord

    found: State = msgspec.convert(state | {"closed": closed}, State)
    record = found.record
    record.loads = msgspec.convert(record.loads, list[LoadRecord])
    record.nodes = msgspec.convert(record.nodes, list[NodeResult])
    record.tests = msgspec.convert(record.tests, list[TestResult])
    record.freshness = msgspec.convert(record.freshness, list[Freshness])
    return found
