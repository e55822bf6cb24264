"""Remove raw history that no kept version of the marts was built from."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from orchestration import dbt
from orchestration.environment import tool_environment
from orchestration.errors import ConfigurationError
from orchestration.history.compactions import enter, in_words
from orchestration.publication.chamber import newest_load
from orchestration.publication.versions import Version, open_register
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from ingestion.compact import History
    from orchestration.run import Run

KEPT = {"live", "kept", "tested"}


@dataclass(frozen=True)
class Plan:
    """What would be removed, by source. `held_by`: the versions without which it would be more."""

    sources: tuple["History", ...]
    held_by: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Rows that would go, by table."""
        return {f"{source.source}.{table}": gone for source in self.sources
                for table, (gone, _) in source.tables.items()}  # fmt: skip


def look(settings: Settings, before: date) -> Plan:
    """What a compaction would remove now; for somebody who has no run of their own yet."""
    warehouse = open_warehouse(settings)
    os.environ.update(tool_environment(settings, warehouse))  # for dbt
    with warehouse.session() as session:
        return plan_compaction(settings, session, before)


def plan_compaction(settings: Settings, session: "connection", before: date) -> Plan:
    """Count what no kept version needs. Changes nothing.

    Raises:
        ConfigurationError: it is not known what a kept version needs.
    """
    from ingestion.compact import find_cut_off, survey
    from ingestion.registry import SOURCES

    moment = datetime.combine(before, time.min, UTC)
    kept = [version for version in open_register(session) if version.state in KEPT]
    needed = dbt.needed_history(settings, settings.root / "logs")
    sources, held = [], False
    with session.cursor() as cursor:
        if newest_load(cursor):
            _refuse_unknown(kept)
        oldest = min((v.watermark for v in kept if v.watermark), default=None)
        for source in SOURCES:
            cut_off = find_cut_off(cursor, source, moment, oldest)
            held = held or cut_off != find_cut_off(cursor, source, moment, None)
            read = {table for schema, table in needed if schema == f"raw_{source}"}
            sources.append(survey(cursor, source, cut_off, read))
    holders = tuple(f"{v.number} ({v.state})" for v in kept if held and v.watermark == oldest)
    return Plan(tuple(sources), holders)


def compact(run: "Run", before: date, shown: Plan | None) -> str:
    """Remove what the plan says now, unless it is more than somebody was shown.

    Raises:
        ConfigurationError: it is more, or there can be no plan.
    """
    from ingestion.compact import remove

    plan = plan_compaction(run.settings, run.session, before)
    if shown and any(rows > shown.counts.get(table, 0) for table, rows in plan.counts.items()):
        raise ConfigurationError(
            "More would be removed now than was shown: another run came in between. Nothing was "
            "removed; look again."
        )
    for line in in_words(plan):
        run.note(line.strip())
    with run.loader.session() as owner:  # of raw
        for source in plan.sources:
            if any(gone for gone, _ in source.tables.values()):
                with owner, owner.cursor() as cursor:
                    # entered before it is final: a replay may be too careful, never careless
                    enter(run.session, run.record.run_id, source, remove(cursor, source))
    said = ", ".join(f"{table} {rows:,}" for table, rows in sorted(plan.counts.items()) if rows)
    return f"removed {sum(plan.counts.values()):,} rows" + (f" ({said})" if said else "")


def _refuse_unknown(kept: list[Version]) -> None:
    for version in kept:
        if version.watermark is None:
            raise ConfigurationError(
                f"It is not known from which loads version {version.number} ({version.state}) was "
                "built, so nothing can be removed. Publish with `.venv/bin/ecluse run` until "
                "`.venv/bin/ecluse versions` lists it no more, then try again."
            )
