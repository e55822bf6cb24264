"""Commands that move data: run, ingest, deploy, publish."""

from datetime import date

import click

from orchestration.cli.options import Day, json_option, recorded, wait_option
from orchestration.cli.stages import perform
from orchestration.settings import load_settings


@click.command()
@click.option("--watch", is_flag=True, help="Show the run in a browser too, while it goes.")
@wait_option
@json_option
def run(watch: bool, wait: bool, as_json: bool) -> None:
    """Ingest, build, test, publish and record: the whole pipe."""
    from orchestration.steps import whole_run

    recorded("run", wait, as_json, whole_run, watch)


@click.command()
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@click.option("--from", "since", type=Day(), help="Load again from this day on.")
@click.option("--to", "until", type=Day(), help="... up to and including this day.")
@click.option("--allow-empty", multiple=True, metavar="RESOURCE",
              help="Believe an empty answer: all rows of this snapshot are gone.")  # fmt: skip
@wait_option
@json_option
def ingest(
    sources: tuple[str, ...],
    since: date | None,
    until: date | None,
    allow_empty: tuple[str, ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Load the SOURCEs (or all) into raw, and nothing else.

    With --from or --to, load those days of the cursor resources again and leave the cursor where
    it is: rows that raw already holds are not doubled.

    With ECLUSE_RUN_ID it is a stage of that run, which build, publish and collect go on with; a
    source that the run has loaded is not loaded again.
    """
    from orchestration import steps

    names = _named(sources)
    if since and until and since > until:
        raise click.UsageError(f"--from {since} lies after --to {until}.")

    def plan(run: "steps.Run") -> tuple[steps.Step, ...]:
        from ingestion.intake import Window

        window = Window(since, until) if since or until else None
        return steps.ingest_only(run, names, window, allow_empty)

    settings = load_settings()
    if settings.run_id is None:
        recorded("ingest", wait, as_json, plan)
    else:
        from orchestration.stages.stage import Stage

        stage = Stage("ingest", lambda run: plan(run)[0].act(), names)
        perform(settings, stage, wait, as_json)


def _named(sources: tuple[str, ...]) -> tuple[str, ...]:
    """The sources that were named, each once, or all there are."""
    from ingestion.registry import SOURCES

    if unknown := [source for source in sources if source not in SOURCES]:
        raise click.UsageError(f"There is no source {unknown[0]!r}. Sources: {', '.join(SOURCES)}.")
    return tuple(dict.fromkeys(sources)) or tuple(SOURCES)


@click.command()
@click.option("--full", is_flag=True, help="Build every model, not only what the code changes.")
@wait_option
@json_option
def deploy(full: bool, wait: bool, as_json: bool) -> None:
    """Publish a new version of the code on the data that readers have.

    Builds the models that differ from the live version's, and all downstream of them, beside the
    marts that readers go on reading; copies the others; tests; switches. Nothing is loaded. When
    raw has moved on since, everything is built, so that one version never mixes two states.
    """
    from orchestration.steps import deployment

    recorded("deploy", wait, as_json, lambda run: deployment(run, full))


@click.command()
@click.argument("run_id", required=False)
@wait_option
@json_option
def publish(run_id: str | None, wait: bool, as_json: bool) -> None:
    """Publish what run RUN_ID has built and tested but could not publish.

    Without RUN_ID it is a stage of the run ECLUSE_RUN_ID, and publishes what that has built.
    """
    from orchestration.steps import publication
    from orchestration.steps.publish import publish_marts

    if run_id is None:
        from orchestration.stages.stage import Stage

        perform(load_settings(), Stage("publish", publish_marts), wait, as_json)
        return
    recorded("publish", wait, as_json, lambda run: publication(run, run_id))


COMMANDS = (run, ingest, deploy, publish)
