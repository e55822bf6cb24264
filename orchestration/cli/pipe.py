"""Commands that move data: run, ingest, deploy, publish."""

from datetime import date

import click

from orchestration.cli.options import Day, json_option, recorded, wait_option


@click.command()
@click.option("--watch", is_flag=True, help="Show the run in a browser too, while it goes.")
@wait_option
@json_option
def run(watch: bool, wait: bool, as_json: bool) -> None:
    """Ingest, build, test, publish and record: the whole pipe."""
    from orchestration.steps import whole_run

    recorded("run", wait, as_json, whole_run, watch)


@click.command()
@click.argument("source", required=False)
@click.option("--from", "since", type=Day(), help="Load again from this day on.")
@click.option("--to", "until", type=Day(), help="... up to and including this day.")
@click.option("--allow-empty", multiple=True, metavar="RESOURCE",
              help="Believe an empty answer: all rows of this snapshot are gone.")  # fmt: skip
@wait_option
@json_option
def ingest(
    source: str | None,
    since: date | None,
    until: date | None,
    allow_empty: tuple[str, ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Load SOURCE (or all) into raw, and nothing else.

    With --from or --to, load those days of the cursor resources again and leave the cursor where
    it is: rows that raw already holds are not doubled.
    """
    from ingestion.registry import SOURCES
    from orchestration import steps

    if source and source not in SOURCES:
        raise click.UsageError(f"There is no source {source!r}. Sources: {', '.join(SOURCES)}.")
    if since and until and since > until:
        raise click.UsageError(f"--from {since} lies after --to {until}.")
    names = (source,) if source else tuple(SOURCES)

    def plan(run: "steps.Run") -> tuple[steps.Step, ...]:
        from ingestion.intake import Window

        window = Window(since, until) if since or until else None
        return steps.ingest_only(run, names, window, allow_empty)

    recorded("ingest", wait, as_json, plan)


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
@click.argument("run_id")
@wait_option
@json_option
def publish(run_id: str, wait: bool, as_json: bool) -> None:
    """Publish what run RUN_ID has built and tested but could not publish."""
    from orchestration.steps import publication

    recorded("publish", wait, as_json, lambda run: publication(run, run_id))


COMMANDS = (run, ingest, deploy, publish)
