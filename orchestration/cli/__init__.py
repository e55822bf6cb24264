"""The command line: arguments in, exit code out, nothing else.

dlt and dbt are imported only by the commands that run them, so `--help` answers at once.
"""

import gc
import os
import signal
import sys
from types import FrameType

import click

from ingestion.errors import WrongSetting
from orchestration.cli import (
    access,
    ci,
    doctor,
    drift,
    history,
    incidents,
    lineage,
    look,
    openlineage,
    pipe,
    quarantine,
    record,
    scaffold,
    schedule,
    stages,
    trace,
    versions,
)
from orchestration.errors import OK, USAGE, EcluseError, interrupt_code

EPILOG = """
Exit codes: 0 published, or nothing to do; 1 the run broke; 2 usage or configuration;
3 the data is bad and was not published; 4 another run is at work; 130 and 143 interrupted.
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecluse", prog_name="ecluse")
def ecluse() -> None:
    """Écluse loads APIs into Postgres with dlt, builds and tests marts with dbt, and publishes
    them all at once: readers only ever see what passed.
    """


ROOMS = (
    pipe, stages, schedule, quarantine, incidents, drift, versions, history, access, lineage, trace,
    openlineage, look, doctor, record, ci, scaffold,
)  # fmt: skip
for room in ROOMS:
    for command in room.COMMANDS:
        ecluse.add_command(command)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signum)


def main() -> None:
    """Run the command line; what a person can act on is a sentence, not a traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    # dbt and dlt make a million objects that stay: looking through them takes a tenth of a run
    gc.set_threshold(50_000, 20, 100)
    try:
        ecluse.main(standalone_mode=False)
        code = OK
    except (EcluseError, WrongSetting) as error:  # the latter of a source that cannot be imported
        click.echo(f"ecluse: {error}", err=True)
        code = error.exit_code if isinstance(error, EcluseError) else USAGE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("ecluse: interrupted; readers have the marts that were published last", err=True)
        cause = error.__cause__ if isinstance(error, click.Abort) else error  # click hides it
        sys.stdout.flush()
        sys.stderr.flush()
        # all is recorded; threads that still fetch pages would hold us until their last retry
        os._exit(interrupt_code(cause))
    sys.exit(code)
