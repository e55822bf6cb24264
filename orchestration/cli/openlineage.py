"""Commands about OpenLineage events: send those of a past run."""

import click

from orchestration.errors import ConfigurationError
from orchestration.settings import load_settings


@click.group()
def openlineage() -> None:
    """Events of runs for catalogues such as Marquez and DataHub (see docs/openlineage.md)."""


@openlineage.command()
@click.argument("run_id")
def send(run_id: str) -> None:
    """Send all events of the run RUN_ID to the consumer that ECLUSE_OPENLINEAGE_URL names.

    Consumers know a run by its id, so sending twice does no harm.
    """
    from orchestration.openlineage import delivery

    settings = load_settings()
    path = settings.runs_dir / run_id / delivery.EVENTS
    if settings.openlineage_url is None:
        raise ConfigurationError("Set ECLUSE_OPENLINEAGE_URL to where the events shall go.")
    if "/" in run_id or not path.exists():
        raise ConfigurationError(
            f"There are no events of a run {run_id!r}: `ecluse status` lists runs."
        )
    try:
        sent = delivery.send(
            delivery.read_events(path), settings.openlineage_url, settings.openlineage_key
        )
    except Exception as error:
        raise ConfigurationError(
            f"The consumer at ECLUSE_OPENLINEAGE_URL did not take the events of run {run_id}: "
            f"{delivery.why(error)}."
        ) from error
    click.echo(f"sent {sent} events of run {run_id}")


COMMANDS: tuple[click.Command, ...] = (openlineage,)
