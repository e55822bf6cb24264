"""One CI job from its first breath to its report. It takes no run lock: runs go on beside it."""

import json
import os
import shutil
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.ci.findings import Report, exit_code, judge, read_limits
from orchestration.ci.job import Job, Options
from orchestration.ci.markdown import as_markdown
from orchestration.ci.space import application, held_space, space_name
from orchestration.concluding import fail
from orchestration.console import Console
from orchestration.environment import ci_environment, tool_environment
from orchestration.errors import BROKEN, ConfigurationError, EcluseError, GateClosed
from orchestration.interrupts import interruptible
from orchestration.records import CI, PASSED, RUNNING, RunFolder, RunRecord, write_whole
from orchestration.run import new_record
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse
from orchestration.workflow import execute

WORK = ("target", "state")  # what dbt works with, some megabytes; its artifacts are in dbt/


def run_ci(
    settings: Settings, options: Options, allow: Collection[str], console: Console
) -> tuple[Report, EcluseError | None]:
    """Build, test and compare what the working tree changes; returns what was found.

    Args:
        settings: of the project and its warehouse.
        options: what to compare with, and how much to say.
        allow: kinds of objections that do not count this time.
        console: told of the steps.

    Returns:
        The report, and why the pull request should not be merged, if it should not.

    Raises:
        EcluseError: nothing was built: a setting, no warehouse; or a publication came in between.
        KeyboardInterrupt: with the schemas dropped.
    """
    read_limits(settings.root)  # a typing error is worth no build
    record = new_record(settings, CI)
    folder = RunFolder(settings.runs_dir, record.run_id)
    report = Report(record.run_id, record.git_commit)
    try:
        _build(settings, record, folder, report, options, console)
        judge(report, settings.root, allow)
    except BaseException as error:
        _ended(record, error)
        raise
    else:
        closed = _closed(report)
        _ended(record, closed)
        return report, closed
    finally:
        for name in WORK:
            shutil.rmtree(folder.path / name, ignore_errors=True)
        folder.save(record)


def _build(
    settings: Settings, record: RunRecord, folder: RunFolder, report: Report,
    options: Options, console: Console,
) -> None:  # fmt: skip
    """The steps; that a model breaks, or the project does not parse, is a finding."""
    name = space_name(record.run_id)
    folder.save(record)
    warehouse = open_warehouse(settings, record.notes.append)
    record.warehouse = str(warehouse)
    os.environ.update(tool_environment(settings, warehouse))
    os.environ.update(ci_environment(name, application(name)))
    with console, held_space(warehouse, record.run_id) as session:
        job = Job(settings, record, folder, session, warehouse.dbname, console, options, report)
        record.status = RUNNING

        def changed() -> None:
            folder.save(record)
            console.show(record)

        try:
            with interruptible(), warehouse.explained(lambda: bool(session.closed)):
                execute(job.steps, record, changed)
        except EcluseError as error:
            if error.exit_code != BROKEN:
                raise
            report.error = str(error)
    report.seconds = record.seconds


def _closed(report: Report) -> EcluseError | None:
    """The one sentence of a job whose gate is closed."""
    if not report.objections:
        return None
    first, more = report.objections[0].said, len(report.objections) - 1
    error = GateClosed(f"Not to be merged: {first}{f' (and {more} more)' if more else ''}.")
    error.exit_code = exit_code(report)
    return error


def _ended(record: RunRecord, error: BaseException | None) -> None:
    record.finished_at, record.exit_code, record.status = datetime.now(UTC), 0, PASSED
    if error is not None:
        fail(record, error)


def as_json(report: Report) -> str:
    """The report for scripts: one document, with the verdict."""
    document: dict[str, Any] = asdict(report) | {"exit_code": exit_code(report)}
    return json.dumps(document, default=str, indent=1)


def deliver(settings: Settings, report: Report, file: Path | None) -> str:
    """Write the Markdown into the run's folder, a file, and the summary of the CI system's job.

    Returns:
        The Markdown.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    text = as_markdown(report)
    try:
        write_whole(settings.runs_dir / report.run_id / "report.md", text)
        if file:
            file.write_text(text)
        if settings.step_summary:
            with settings.step_summary.open("a") as summary:
                summary.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"The report cannot be written to {error.filename}: {error.strerror}."
        ) from error
    return text
