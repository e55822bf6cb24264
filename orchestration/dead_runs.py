"""What a run does about those before it that were killed: end their sessions, mark their records.

To be called under the run lock, which makes it certain that they are dead.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration import ops
from orchestration.publication.versions import published_by
from orchestration.records import DEAD, PUBLISHED, RunRecord, mark_dead_files, read_run

if TYPE_CHECKING:
    from psycopg2.extensions import connection

# What libpq calls the sessions that dlt and dbt open for a run. The server goes on with a statement
# whose client was killed, and whoever comes next would have to wait for its locks.
WORKER = "ecluse worker"
OPEN_HOURS = 24  # how long a run may wait for its next stage
END = """
select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity
where application_name = %s and datname = current_database() and backend_type = 'client backend'
  and pid <> pg_backend_pid() and pg_has_role(usesysid, 'usage')
"""


def end_sessions(session: "connection") -> list[str]:
    """End what dead runs still have at work with logins whose sessions this login may end.

    Returns:
        A sentence, if there was any.
    """
    with session.cursor() as cursor:
        cursor.execute(END, (WORKER,))
        (ended,) = cursor.fetchone() or (0,)
    said = f"sessions that a dead run had left at work in Postgres were ended: {ended}"
    return [said] if ended else []


def bury(session: "connection", runs_dir: Path, mine: RunRecord) -> list[str]:
    """End what dead runs still have at work, and mark them as aborted; a sentence for each deed.

    A run that waits for its next stage is dead when nobody has come for OPEN_HOURS.
    A run whose file says how it ended is not dead: Postgres was gone before it could say so there.
    Nor is one whose file could not be written, if ops knows how it ended.
    """

    def told(run_id: str) -> dict[str, Any]:
        with session.cursor() as cursor:
            published = published_by(cursor, run_id)
        switched = {"status": PUBLISHED, "published": published} if published else {}
        return ops.end_of(session, run_id) | switched

    notes = end_sessions(session)
    os.environ["PGAPPNAME"] = WORKER
    staged = ops.staged_runs(session, OPEN_HOURS)
    spared = {run_id for run_id, late in staged.items() if not late}
    unended = [each for each in ops.unended_rows(session, mine.run_id) if each not in spared]
    dead = set(mark_dead_files(runs_dir, mine, unended, told, spared))
    for run_id in unended:
        end = read_run(runs_dir, run_id) or {"reason": DEAD} | told(run_id)
        ops.end_row(session, run_id, end)
        dead |= {run_id} if end.get("reason", DEAD) == DEAD else set()
    for run_id in staged.keys() - spared - {mine.run_id}:
        ops.close_staged(session, run_id)
        dead.add(run_id)
    mine.buried = sorted(dead)
    for run_id in mine.buried:
        end = read_run(runs_dir, run_id) or told(run_id)
        switched = end.get("status") == PUBLISHED
        what = "after it had published" if switched else "and is marked as aborted"
        if run_id in staged:
            what = f"after {OPEN_HOURS} hours without its next stage"
        notes.append(f"run {run_id} was found dead {what}")
    return notes
