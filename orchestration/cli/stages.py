"""Stages of a run: build and collect. Ingest and publish, which can be more, are in pipe."""

import json
from typing import TYPE_CHECKING

import click

from orchestration.cli.options import json_option, wait_option
from orchestration.settings import Settings, load_settings

if TYPE_CHECKING:
    from orchestration.stages.stage import Stage


@click.command()
@wait_option
@json_option
def build(wait: bool, as_json: bool) -> None:
    """Build and test the marts of the run ECLUSE_RUN_ID, where no reader sees them.

    A stage of a run that an orchestrator takes apart: ingest, build, publish, collect, each with
    the same ECLUSE_RUN_ID. Exit code 3: a test failed; 1: the build broke.
    """
    from orchestration.stages.stage import Stage
    from orchestration.steps.build import build as act

    perform(load_settings(), Stage("build", act), wait, as_json)


@click.command()
@wait_option
@json_option
def collect(wait: bool, as_json: bool) -> None:
    """End the run ECLUSE_RUN_ID: documents, lineage, incidents, alerts, its last word.

    To be called whatever became of the stages before. Exit code 0 says that it could, also for a
    run that failed: that is what the exit code of the stage which failed has said.
    """
    from orchestration.stages.stage import Stage
    from orchestration.steps.collect import collect as act

    perform(load_settings(), Stage("collect", act), wait, as_json)


def perform(settings: Settings, stage: "Stage", wait: bool, as_json: bool) -> None:
    """Do a stage and say what became of it; the whole summary when it ends the run."""
    from orchestration import reports
    from orchestration.console import open_console
    from orchestration.records import read_run, to_json
    from orchestration.stages.stage import run_stage

    record = None
    try:
        with open_console(quiet=as_json) as console:
            record = run_stage(settings, stage, console, settings.lock_wait if wait else 0.0)
    finally:
        if as_json:  # of a stage that failed, too
            kept = read_run(settings.runs_dir, settings.run_id or "")
            click.echo(to_json(record) if record else json.dumps(kept, indent=1))
    if stage.collects and record.finished_at and not as_json:
        click.echo(reports.summary(record))


COMMANDS = (build, collect)
